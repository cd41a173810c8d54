/**
 * Repeated whole numbers in protobuf as the bytes that they are. As JavaScript's numbers they take eight times as much
 * memory, so that only those that are needed are ever read, and only where as many are expected.
 */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { joinBytes } from "./number-bytes.ts";
import { MalformedFile } from "./protobuf.ts";

export class VarintBytes {
  /** How many numbers there are. */
  count = 0;
  private readonly parts: Uint8Array[] = [];

  add(part: Uint8Array): void {
    if (part.length > 0 && part[part.length - 1] >= 0x80) throw new MalformedFile("a list is cut short");
    for (const byte of part) if (byte < 0x80) this.count++;
    this.parts.push(part);
  }

  /** Reads all into an array of `count` elements. */
  readInto(numbers: Float64Array | Uint16Array): void {
    const reader = new BinaryReader(joinBytes(this.parts));
    // Halves are the lower bits of an int32.
    const next = numbers instanceof Uint16Array ? () => reader.int32() : () => toNumber(reader.int64());
    for (let i = 0; i < this.count; i++) numbers[i] = next();
  }
}

/**
 * A 64-bit integer as a number. What a double can't hold exactly becomes the nearest end of what it can: such numbers
 * say "as far as there is" (the end of a slice), and are far beyond any extent or index.
 */
export function toNumber(value: bigint | string | number): number {
  const number = Number(value);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, number));
}
