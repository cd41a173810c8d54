/**
 * A strict, bounded way through protobuf messages: the wire format is @bufbuild/protobuf's, the distrust is ours. Every
 * length is checked against what is left of the message, and the fields of a whole file are counted, so that an
 * invented file costs no more than its size in memory and a second in time.
 */

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Concern } from "../errors.ts";

export { WireType };

/** What is wrong with a file, to be said with its name by the reader of that format. */
export class MalformedFile extends Error {
  override readonly name = "MalformedFile";
  /** The layer that is wrong, where it is one. */
  readonly layer: string | undefined;

  constructor(message: string, { layer, ...options }: ErrorOptions & Pick<Concern, "layer"> = {}) {
    super(message, options);
    this.layer = layer;
  }
}

/** Fields that one file may have, weights counted as one: networks have some thousands. */
const MAX_FIELDS = 1_000_000;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What to do with a field: read its value from the reader and return true, or leave the reader alone and return false,
 * which skips it.
 */
export type FieldVisitor = (field: number, wireType: WireType, reader: BinaryReader) => boolean;

/** A message within a file. */
export class MessageReader {
  readonly bytes: Uint8Array;
  /** Fields met so far in the whole file. */
  private readonly met: { fields: number };

  constructor(bytes: Uint8Array, met = { fields: 0 }) {
    this.bytes = bytes;
    this.met = met;
  }

  /**
   * Visits the fields in order.
   *
   * @throws MalformedFile where the message is damaged
   */
  forEachField(visit: FieldVisitor): void {
    const reader = new BinaryReader(this.bytes);
    while (reader.pos < reader.len) {
      this.count();
      decode(() => {
        const [field, wireType] = reader.tag();
        // Groups left the format before the formats read here came up.
        if (wireType === WireType.StartGroup || wireType === WireType.EndGroup) {
          throw new MalformedFile("it has a group field");
        }
        if (!visit(field, wireType, reader)) reader.skip(wireType, field);
        if (reader.pos > reader.len) throw new MalformedFile("it is cut short");
      });
    }
  }

  /** Counts a field, or a number of a packed one that takes as much memory. */
  count(): void {
    if (++this.met.fields > MAX_FIELDS) throw new MalformedFile(`it has more than ${MAX_FIELDS} fields`);
  }

  /** The message in the length-delimited field at which the reader stands. */
  nested(reader: BinaryReader): MessageReader {
    return new MessageReader(reader.bytes(), this.met);
  }

  /** The text in the length-delimited field at which the reader stands; must be UTF-8. */
  string(reader: BinaryReader): string {
    return UTF8.decode(reader.bytes());
  }
}

/** The library throws plain errors at damaged input: RangeError, TypeError or Error. */
function decode(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof MalformedFile) throw error;
    throw new MalformedFile(`its protobuf is damaged or cut short (${(error as Error).message})`, { cause: error });
  }
}
