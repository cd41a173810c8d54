/** Names that somebody may have meant. */

/** The names most like `name`, best first: those that share the most pairs of neighbouring letters. */
export function nearNames(name: string, names: Iterable<string>, count = 3): string[] {
  const wanted = pairs(name);
  return [...names]
    .map((each) => ({ each, likeness: likeness(wanted, pairs(each)) }))
    .sort((a, b) => b.likeness - a.likeness)
    .slice(0, count)
    .map(({ each }) => each);
}

/** Sørensen and Dice's coefficient. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const pair of a) if (b.has(pair)) shared++;
  return (2 * shared) / (a.size + b.size || 1);
}

function pairs(text: string): Set<string> {
  const letters = `^${text.toLowerCase()}$`;
  return new Set(Array.from({ length: letters.length - 1 }, (_, start) => letters.slice(start, start + 2)));
}
