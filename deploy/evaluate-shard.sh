#!/bin/sh
# One shard of an evaluation, as a scheduler's task: may be killed at any time and started again, on another machine
# too, and then goes on from its state.
#
#   evaluate-shard.sh I/N FOLDER RESULTS [options of `googlenet evaluate`...]
#
# RESULTS is a folder that all shards share. In it I-of-N.state keeps the progress, and I-of-N.json, what the command
# prints with --json, is there once the shard is whole.
#
# Exit status: 0 once the shard is whole, even where some of its pictures can't be decoded (a retry would not mend them:
# they are listed, and count as errors; where a file is gone or its disk fails, the shard fails instead, keeps its state,
# and can be tried again); 2 where the command line is wrong, so that no retry helps either; else that of
# googlenet.
set -eu

if [ $# -lt 3 ]; then
  echo "evaluate-shard.sh: give I/N, a folder of pictures, and one for the results" >&2
  exit 2
fi
shard=$1
folder=$2
results=$3
shift 3

# It names files, before googlenet has looked at it.
case $shard in
  [0-9]*/[0-9]*) index=${shard%%/*} of=${shard#*/} ;;
  *) index=none of=none ;;
esac
case $index$of in
  *[!0-9]*)
    echo "evaluate-shard.sh: \"$shard\" is not I/N, the I-th of N parts, from 1" >&2
    exit 2
    ;;
esac
name=$results/$index-of-$of

# Of this try alone: another one may still be at work, and is refused by the state's lock, which comes after this file.
part=$(mktemp "$results/.$index-of-$of.XXXXXX") || exit 1
trap 'rm -f "$part"' EXIT

# In the background, so that this shell hears signals at once and can hand them on: a container's first process is sent
# the one that announces its end.
googlenet evaluate "$folder" --shard "$shard" --state "$name.state" --json "$@" >"$part" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' TERM INT HUP
status=0
wait "$child" || status=$?
# A signal ends the waiting, not the child, which still says how it ended.
while kill -0 "$child" 2>/dev/null; do
  status=0
  wait "$child" || status=$?
done

# The last line of a whole shard holds its figures.
if [ "$status" -le 1 ] && tail -n 1 "$part" | grep -q '^{"images":'; then
  # What mktemp makes is its owner's alone.
  chmod "$(printf '%o' $((0666 & ~0$(umask))))" "$part"
  mv "$part" "$name.json"
  exit 0
fi
exit "$status"
