/** The devices of an evaluation that several attempts or shards made, as one name. */

const SEPARATOR = " + ";

/** Each device once, in the order in which they come; names may be of several already, or empty where there was none. */
export function joinAdapters(names: readonly string[]): string {
  return [...new Set(names.flatMap((name) => name.split(SEPARATOR)).filter((name) => name !== ""))].join(SEPARATOR);
}
