/** The labelled pictures of an evaluation: their list, a shard's part of it, and how two lists are told apart. */

import type { EngineError } from "../errors.ts";
import type { Shard } from "./record.ts";

/** A picture and what it shows. */
export interface LabelledPicture {
  /** Its place among all shards' pictures, from 0. */
  readonly number: number;
  /** Its path, relative to the folder that is evaluated, with `/` between its parts. */
  readonly image: string;
  /** The class that it shows: a line of the label file, from 0. */
  readonly class: number;
}

/** A labelled picture made ready for a classifier, or why it could not be read. */
export type PreparedPicture<Prepared> = LabelledPicture &
  ({ readonly prepared: Prepared } | { readonly error: EngineError });

/** Pictures in the order of their paths (UTF-16 code units, whatever the machine's language), numbered. */
export function numbered(pictures: readonly Omit<LabelledPicture, "number">[]): LabelledPicture[] {
  const sorted = pictures.toSorted((a, b) => (a.image < b.image ? -1 : a.image > b.image ? 1 : 0));
  return sorted.map(({ image, class: shown }, number) => ({ number, image, class: shown }));
}

/** A shard's pictures: every `of`-th, so that shards take equally long where pictures lie by class. */
export function picturesOf<Picture extends LabelledPicture>(
  { index, of }: Shard,
  pictures: readonly Picture[],
): Picture[] {
  return pictures.filter(({ number }) => number % of === index - 1);
}

/** How many pictures of `total` are a shard's. */
export function shardSize({ index, of }: Shard, total: number): number {
  return Math.max(0, Math.ceil((total - (index - 1)) / of));
}

/** SHA-256, in hexadecimal, of a text that has a line `["PATH",CLASS]\n` for each picture, in order. */
export async function digestOfPictures(pictures: readonly Omit<LabelledPicture, "number">[]): Promise<string> {
  const lines = pictures.map(({ image, class: shown }) => `${JSON.stringify([image, shown])}\n`);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("")));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
