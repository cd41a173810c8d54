#!/bin/sh
# The whole of an evaluation from all of its shards. Shards that don't fit together, or that lack one, are refused.
#
#   merge-shards.sh N RESULTS [options of `googlenet evaluate --merge`, and for a page its folder and --html FILE...]
#
# Writes RESULTS/whole.json, what the command prints with --json, and prints the figures for people.
set -eu

if [ $# -lt 2 ]; then
  echo "merge-shards.sh: give the number of shards, and the folder of their results" >&2
  exit 2
fi
shards=$1
results=$2
shift 2

index=$shards
set -- "$@" --merge
while [ "$index" -ge 1 ]; do
  set -- "$@" "$results/$index-of-$shards.state"
  index=$((index - 1))
done

# As of a shard: pictures that can't be read are no failure of the merging.
status=0
googlenet evaluate "$@" --json >"$results/whole.part" || status=$?
if [ "$status" -gt 1 ] || ! tail -n 1 "$results/whole.part" | grep -q '^{"images":'; then
  exit "$status"
fi
mv "$results/whole.part" "$results/whole.json"
googlenet evaluate "$@" || [ $? -eq 1 ]
