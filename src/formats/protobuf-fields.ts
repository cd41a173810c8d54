/**
 * Messages as tables: which fields are read, and how. What a table doesn't have is passed over; a field of the wrong
 * wire type is damage, never overlooked.
 */

import type { BinaryReader } from "@bufbuild/protobuf/wire";
import type { NumberBytes } from "./number-bytes.ts";
import { MalformedFile, type MessageReader, WireType } from "./protobuf.ts";
import { toNumber, type VarintBytes } from "./varint-bytes.ts";

/** Reads one occurrence of a field, at which the reader stands; false where it can't be of that wire type. */
export type Field = (reader: BinaryReader, wireType: WireType, message: MessageReader) => boolean;

/** Fields by their numbers. */
export type Fields = Readonly<Record<number, Field>>;

/** @throws MalformedFile */
export function readFields(message: MessageReader, fields: Fields): void {
  message.forEachField((number, wireType, reader) => {
    const field = fields[number];
    if (!field) return false;
    if (!field(reader, wireType, message)) throw new MalformedFile(`field ${number} has the wrong wire type`);
    return true;
  });
}

/** UTF-8 text. */
export function text(use: (value: string) => void): Field {
  return delimited((reader, message) => use(message.string(reader)));
}

export function bytes(use: (value: Uint8Array) => void): Field {
  return delimited((reader) => use(reader.bytes()));
}

export function nested(use: (message: MessageReader) => void): Field {
  return delimited((reader, message) => use(message.nested(reader)));
}

/** A whole number of up to 64 bits, signed; see `toNumber`. */
export function integer(use: (value: number) => void): Field {
  return (reader, wireType) => {
    if (wireType !== WireType.Varint) return false;
    use(toNumber(reader.int64()));
    return true;
  };
}

/** A few whole numbers, packed or one at a time. */
export function integers(use: (value: number) => void): Field {
  const single = integer(use);
  return (reader, wireType, message) => {
    if (wireType !== WireType.LengthDelimited) return single(reader, wireType, message);
    const end = reader.uint32() + reader.pos;
    if (end > reader.len) throw new MalformedFile("a list is cut short");
    while (reader.pos < end) {
      message.count();
      use(toNumber(reader.int64()));
    }
    if (reader.pos !== end) throw new MalformedFile("a list is cut short");
    return true;
  };
}

/** Any number of whole numbers, packed or one at a time, kept as they lie in the file. */
export function varints(into: VarintBytes): Field {
  return (reader, wireType, message) => {
    if (wireType === WireType.LengthDelimited) {
      into.add(reader.bytes());
    } else if (wireType === WireType.Varint) {
      const start = reader.pos;
      reader.int64();
      into.add(message.bytes.subarray(start, reader.pos));
    } else {
      return false;
    }
    return true;
  };
}

/** A float32. */
export function float(use: (value: number) => void): Field {
  return (reader, wireType) => {
    if (wireType !== WireType.Bit32) return false;
    use(reader.float());
    return true;
  };
}

/** Floats of 4 or 8 bytes, packed or one at a time. */
export function numbers(into: NumberBytes): Field {
  const single = into.size === 4 ? WireType.Bit32 : WireType.Bit64;
  return (reader, wireType, message) => {
    if (wireType === WireType.LengthDelimited) into.add(reader.bytes());
    else if (wireType === single) reader.pos = into.addRun(message.bytes, reader.pos);
    else return false;
    return true;
  };
}

function delimited(use: (reader: BinaryReader, message: MessageReader) => void): Field {
  return (reader, wireType, message) => {
    if (wireType !== WireType.LengthDelimited) return false;
    use(reader, message);
    return true;
  };
}
