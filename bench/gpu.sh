#!/usr/bin/env bash
# All that is to be known of an NVIDIA machine, in one command: bench/gpu.sh FOLDER [STEP...]
#
# Steps, in this order: devices, verify, tune, verify-tuned, plan, bench, bench-f16, profile. Parity comes first, for each
# precision by itself: where `verify` fails in float32, nothing is timed; where it fails in float16, or the device lacks
# that, nothing is tuned or timed in float16, which is said and is no failure of the whole. Where the tuned plan in float16
# is wrong, float16 runs by default; where float32's is, both do. What a step prints goes to FOLDER/STEP.jsonl (the benches'
# records to FOLDER/STEP.json), profiles' pages to FOLDER/profile-*.html, the tuner's verdicts to FOLDER/tuning (float32's
# alone to FOLDER/tuning-f32), notes and errors of all of them to FOLDER/log.txt. Steps that this version of the engine does
# not have are skipped, and said.
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
precisions=(f32 f16)
# What float16 failed at, in an earlier run as well.
[[ -e $folder/no-f16 ]] && precisions=(f32)
failed=()
# One folder for both precisions: float16 is timed beside a float32 that is tuned as well.
export GOOGLENET_TUNING=$folder/tuning

say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" | tee -a "$folder/log.txt" >&2; }
googlenet() { node dist/cli/main.js "$@" 2> >(tee -a "$folder/log.txt" >&2); }

# try NAME COMMAND ARGUMENT...: appends its output to NAME.jsonl. Status 2 is a command line that this version lacks.
try() {
  local name=$1 status
  shift
  say "$name: googlenet $*"
  googlenet "$@" >>"$folder/$name.jsonl"
  status=$?
  if [[ $status -eq 2 ]]; then
    say "$name: skipped, this version does not have it"
  elif [[ $status -ne 0 ]]; then
    say "$name: failed with $status"
  fi
  return $status
}

# step NAME COMMAND ARGUMENT...: the same, whose failure is one of the whole.
step() {
  local status
  try "$@"
  status=$?
  [[ $status -eq 0 || $status -eq 2 ]] || failed+=("$1")
  return $status
}

for name in "${steps[@]}"; do
  rm -f "$folder/$name.jsonl"
  case $name in
    devices) step devices devices --json ;;
    verify)
      step verify verify --json --no-tuning "${weights[@]}" "${adapter[@]}" ||
        { say "outputs are wrong: nothing is timed"; exit 1; }
      rm -f "$folder/no-f16"
      precisions=(f32 f16)
      try verify verify --json --no-tuning --precision f16 "${weights[@]}" "${adapter[@]}" ||
        { say "float16 is not right here, or not there: nothing is timed in it"; precisions=(f32); touch "$folder/no-f16"; }
      ;;
    tune)
      rm -rf "$folder/tuning" "$folder/tuning-f32"
      for precision in "${precisions[@]}"; do
        step tune tune --json --precision "$precision" --batch "$batches" --rounds "${GPU_TUNE_ROUNDS:-5}" \
          "${weights[@]}" "${adapter[@]}"
        # To go back to, should float16's be wrong.
        [[ $precision == f32 && -d $folder/tuning ]] && cp -r "$folder/tuning" "$folder/tuning-f32"
      done
      ;;
    verify-tuned)
      for precision in "${precisions[@]}"; do
        # Without a verdict there is nothing that the untuned check has not seen.
        [[ -d $folder/tuning ]] || continue
        # The reference takes seconds an image: of the batches that were tuned for, the first.
        step verify-tuned verify --json --precision "$precision" --batch "${batches%%,*}" "${weights[@]}" "${adapter[@]}" &&
          continue
        say "the tuned plan in $precision is wrong: going on without it"
        rm -rf "$folder/tuning-wrong"
        mv "$folder/tuning" "$folder/tuning-wrong"
        [[ $precision == f16 && -d $folder/tuning-f32 ]] && cp -r "$folder/tuning-f32" "$folder/tuning"
      done
      ;;
    plan)
      for precision in "${precisions[@]}"; do
        for batch in ${batches//,/ }; do
          step plan plan --json --precision "$precision" --batch "$batch" "${adapter[@]}"
        done
      done
      ;;
    bench | bench-f16)
      precision=f32
      if [[ $name == bench-f16 ]]; then
        [[ ${#precisions[@]} -eq 1 ]] && { say "$name: skipped, float16 is not right here, or not there"; continue; }
        precision=f16
      fi
      rm -f "$folder/$name.json"
      step "$name" bench --json --precision "$precision" --peers "${GPU_PEERS:-all}" --batch "$batches" \
        --rounds "${GPU_ROUNDS:-5}" --seconds "${GPU_SECONDS:-10}" --save "$folder/$name.json" "${weights[@]}" "${adapter[@]}"
      # The record holds the same, where there is one: it is written at the end.
      [[ -e $folder/$name.json ]] && rm -f "$folder/$name.jsonl"
      ;;
    profile)
      for precision in "${precisions[@]}"; do
        for batch in ${batches//,/ }; do
          step profile profile --json --precision "$precision" --batch "$batch" \
            --html "$folder/profile-$precision-$batch.html" "${weights[@]}" "${adapter[@]}"
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
