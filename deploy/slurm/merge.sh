#!/bin/bash
# The whole, once all shards are done: README.md beside it says how to submit it.
#SBATCH --job-name=googlenet-merge
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=00:10:00
#SBATCH --output=googlenet-merge-%j.log
set -euo pipefail

shards=${SHARDS:-8}
results=${RESULTS:?the folder of the shards\' results}
deploy=${DEPLOY:-${SLURM_SUBMIT_DIR:-.}/deploy}

exec "$deploy/merge-shards.sh" "$shards" "$results" "$@"
