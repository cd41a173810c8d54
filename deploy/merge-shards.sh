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

# The page, to see whether it was drawn.
html='' before=''
for each in "$@"; do
  case $before in --html) html=$each ;; esac
  case $each in --html=*) html=${each#--html=} ;; esac
  before=$each
done

index=$shards
set -- "$@" --merge
while [ "$index" -ge 1 ]; do
  set -- "$@" "$results/$index-of-$shards.state"
  index=$((index - 1))
done

part=$(mktemp "$results/.whole.XXXXXX")
begun=$part.begun
trap 'rm -f "$part" "$begun"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
: >"$begun"

# As of a shard: pictures that can't be read are no failure of the merging, though they have its status.
status=0
googlenet evaluate "$@" --json >"$part" || status=$?
if [ "$status" -gt 1 ] || ! tail -n 1 "$part" | grep -q '^{"images":'; then
  exit "$((status > 0 ? status : 1))"
fi
# What mktemp makes is its owner's alone.
chmod "$(printf '%o' $((0666 & ~0$(umask))))" "$part"
mv "$part" "$results/whole.json"

status=0
googlenet evaluate --merge "$results/whole.json" >"$part" || status=$?
if [ "$status" -gt 1 ] || [ ! -s "$part" ]; then
  exit "$((status > 0 ? status : 1))"
fi
cat "$part"
if [ -n "$html" ] && [ -z "$(find "$html" -newer "$begun" 2>/dev/null)" ]; then
  exit 1
fi
