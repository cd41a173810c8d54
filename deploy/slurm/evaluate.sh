#!/bin/bash
# A Slurm array: a task a shard. README.md beside it says how to submit it, and the merging after it.
#SBATCH --job-name=googlenet-evaluate
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --output=googlenet-%A-%a.log
# The same log after a restart, not a new one over it.
#SBATCH --open-mode=append
# Started again after a node has failed or a task with more right has pushed it aside.
#SBATCH --requeue
# And two minutes before its time is over, so that it can go to the queue's end by itself.
#SBATCH --signal=B:USR1@120
# Remove the first # for a GPU:
##SBATCH --gres=gpu:1
set -euo pipefail

# The number of parts, which --array must agree with. It is not SLURM_ARRAY_TASK_COUNT: that is smaller where only some
# tasks are submitted anew.
shards=${SHARDS:-8}
pictures=${PICTURES:?the folder of pictures}
results=${RESULTS:?a folder for the results, on a disk that all nodes see}
# Slurm runs a copy of this file from elsewhere.
deploy=${DEPLOY:-${SLURM_SUBMIT_DIR:-.}/deploy}

mkdir -p "$results"
# Not by srun: the task is this very process on this very node, and srun would hand on signals that it is not meant to.
"$deploy/evaluate-shard.sh" "$SLURM_ARRAY_TASK_ID/$shards" "$pictures" "$results" "$@" &
shard=$!

requeue() {
  echo "time is nearly over: stopping, and going on in another turn" >&2
  kill -TERM "$shard" 2>/dev/null || true
  wait "$shard" || true
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
  exit 0
}
trap requeue USR1
wait "$shard"
