/**
 * Repeated fields of fixed-size numbers in protobuf, packed or not, as the bytes that they are: a network's weights
 * come as millions of them, so they are never looked at one by one.
 */

import { MalformedFile } from "./protobuf.ts";

/** The bytes of a repeated field of fixed-size numbers, which may come in any number of packed and unpacked parts. */
export class NumberBytes {
  readonly size: 4 | 8;
  length = 0;
  private readonly parts: Uint8Array[] = [];

  constructor(size: 4 | 8) {
    this.size = size;
  }

  add(part: Uint8Array): void {
    if (part.length % this.size !== 0) throw new MalformedFile("its data end within a number");
    this.parts.push(part);
    this.length += part.length;
  }

  /**
   * Takes an unpacked number at `position` and those that follow it behind the same one-byte tag.
   *
   * @returns where the run ends, which is past the end of a message that is cut short
   */
  addRun(bytes: Uint8Array, position: number): number {
    const { size } = this;
    const tag = bytes[position - 1];
    let count = 1;
    while (bytes[position + count * (size + 1) - 1] === tag) count++;
    const end = position + count * (size + 1) - 1;
    const run = new Uint8Array(count * size);
    for (let i = 0; i < count; i++) {
      const start = position + i * (size + 1);
      for (let j = 0; j < size; j++) run[i * size + j] = bytes[start + j];
    }
    this.add(run);
    return end;
  }

  /** All parts in a buffer of their own, aligned. */
  concatenate(): Uint8Array {
    return joinBytes(this.parts);
  }
}

/** Bytes one part after another, in a buffer of their own. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
