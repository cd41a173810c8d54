#!/usr/bin/env bash
# All that is to be known of an NVIDIA machine, in one command: bench/gpu.sh FOLDER [STEP...]
#
# Steps, in this order: devices, verify, tune, verify-tuned, plan, bench, bench-f16, profile. Parity comes first: where
# `verify` fails, nothing is timed, and where the tuned plan fails, what follows runs by default. What a step prints goes
# to FOLDER/STEP.jsonl (the benches' records to FOLDER/STEP.json), the tuner's verdicts to FOLDER/tuning, notes and errors
# of all of them to FOLDER/log.txt. Steps that this version of the engine does not have are skipped, and said.
#
# Needs Node.js, a Vulkan loader and, beside this folder: dist (npm run build), kernels, assets, package.json,
# weights/manifest.json, node_modules (npm ci --omit=dev), bench/peers with its node_modules.
# Variables: GOOGLENET_WEIGHTS (a file; without it seeded weights do), GPU_ADAPTER (part of the adapter's name),
# GPU_BATCHES (default 1,8,64), GPU_ROUNDS (5), GPU_SECONDS for each batch and engine over all rounds (10), GPU_PEERS (all),
# GPU_TUNE_ROUNDS (5).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
if [[ $# -lt 1 ]]; then
  echo "usage: bench/gpu.sh FOLDER [STEP...]" >&2
  exit 2
fi
mkdir -p "$1" || exit 1
folder=$(cd "$1" && pwd)
shift
steps=("$@")
[[ $# -eq 0 ]] && steps=(devices verify tune verify-tuned plan bench bench-f16 profile)

adapter=()
[[ -n ${GPU_ADAPTER:-} ]] && adapter=(--adapter "$GPU_ADAPTER")
weights=()
[[ -z ${GOOGLENET_WEIGHTS:-} ]] && weights=(--weights seed:1)
batches=${GPU_BATCHES:-1,8,64}
export GOOGLENET_TUNING=$folder/tuning
failed=()

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" | tee -a "$folder/log.txt" >&2; }
googlenet() { node dist/cli/main.js "$@" 2> >(tee -a "$folder/log.txt" >&2); }

# step NAME COMMAND ARGUMENT...: appends its output to NAME.jsonl. Status 2 is a command line that this version lacks.
step() {
  local name=$1 status
  shift
  say "$name: googlenet $*"
  googlenet "$@" >>"$folder/$name.jsonl"
  status=$?
  if [[ $status -eq 2 ]]; then
    say "$name: skipped, this version does not have it"
  elif [[ $status -ne 0 ]]; then
    say "$name: failed with $status"
    failed+=("$name")
  fi
  return $status
}

for name in "${steps[@]}"; do
  rm -f "$folder/$name.jsonl"
  case $name in
    devices) step devices devices --json ;;
    verify)
      step verify verify --json --no-tuning "${weights[@]}" "${adapter[@]}" ||
        { say "outputs are wrong: nothing is timed"; exit 1; }
      step verify verify --json --no-tuning --precision f16 "${weights[@]}" "${adapter[@]}"
      ;;
    tune)
      for precision in f32 f16; do
        step tune tune --json --precision "$precision" --batch "$batches" --rounds "${GPU_TUNE_ROUNDS:-5}" \
          "${weights[@]}" "${adapter[@]}"
      done
      ;;
    verify-tuned)
      for precision in f32 f16; do
        # The reference takes seconds an image: of the batches that were tuned for, the first.
        step verify-tuned verify --json --precision "$precision" --batch "${batches%%,*}" "${weights[@]}" "${adapter[@]}" ||
          { say "the tuned plan is wrong: going on by default"; mv "$GOOGLENET_TUNING" "$GOOGLENET_TUNING-wrong"; }
      done
      ;;
    plan)
      for precision in f32 f16; do
        for batch in ${batches//,/ }; do
          step plan plan --json --precision "$precision" --batch "$batch" "${adapter[@]}"
        done
      done
      ;;
    bench | bench-f16)
      precision=f32
      [[ $name == bench-f16 ]] && precision=f16
      step "$name" bench --json --peers "${GPU_PEERS:-all}" --batch "$batches" --rounds "${GPU_ROUNDS:-5}" \
        --seconds "${GPU_SECONDS:-10}" --save "$folder/$name.json" --precision "$precision" "${weights[@]}" "${adapter[@]}"
      # The record holds the same.
      rm -f "$folder/$name.jsonl"
      ;;
    profile)
      for precision in f32 f16; do
        for batch in ${batches//,/ }; do
          step profile profile --json --precision "$precision" --batch "$batch" "${weights[@]}" "${adapter[@]}"
        done
      done
      ;;
    *)
      say "there is no step $name"
      exit 2
      ;;
  esac
done

if [[ ${#failed[@]} -gt 0 ]]; then
  say "failed: ${failed[*]}"
  exit 1
fi
say "done: $folder"
