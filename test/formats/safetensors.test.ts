import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { looksLikeSafetensors, readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { arbitraryMutant, arbitraryTensor, bits, expectRefusalOrSense } from "./mutants.ts";

/** A file with this header and data, sound or not. */
function file(header: unknown, data: ArrayLike<number> = [], headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const f32 = (shape: unknown, begin: unknown, end: unknown) => ({ dtype: "F32", shape, data_offsets: [begin, end] });
const tensor = (...values: number[]): Tensor => ({ shape: [values.length], data: Float32Array.from(values) });

describe("readSafetensors", () => {
  it("reads tensors, types and metadata", () => {
    const bytes = file(
      { __metadata__: { format: "pt" }, b: f32([2, 1], 4, 12), a: f32([], 0, 4) },
      new Uint8Array(Float32Array.of(7, 1.5, -2).buffer),
    );
    const { tensors, types, metadata } = readSafetensors(bytes, "file");
    expect(bits(tensors)).toEqual(
      bits(
        new Map([
          ["b", { shape: [2, 1], data: Float32Array.of(1.5, -2) }],
          ["a", { shape: [], data: Float32Array.of(7) }],
        ]),
      ),
    );
    expect([...types]).toEqual([
      ["b", "F32"],
      ["a", "F32"],
    ]);
    expect(metadata).toEqual({ format: "pt" });
  });

  it.each([
    ["F16", [0x00, 0x3e, 0x00, 0xc0]],
    ["BF16", [0xc0, 0x3f, 0x00, 0xc0]],
    ["F64", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0]],
  ])("widens or rounds %s to float32", (dtype, data) => {
    const bytes = file({ a: { dtype, shape: [2], data_offsets: [0, data.length] } }, data);
    expect(readSafetensors(bytes, "file").tensors.get("a")).toEqual(tensor(1.5, -2));
  });

  it("shares the file's memory where float32 data are aligned, and copies where not", () => {
    const sound = writeSafetensors(new Map([["a", tensor(1, 2, 3)]]));
    expect(readSafetensors(sound, "file").tensors.get("a")!.data.buffer).toBe(sound.buffer);
    // Files are read as Buffers, which copy otherwise.
    for (const shifted of [new Uint8Array(sound.length + 1).subarray(1), Buffer.alloc(sound.length + 1).subarray(1)]) {
      shifted.set(sound);
      const copied = readSafetensors(shifted, "file").tensors.get("a")!;
      expect(copied.data.buffer).not.toBe(shifted.buffer);
      expect(copied).toEqual(tensor(1, 2, 3));
    }
  });

  it("takes names for what they are, also those that mean something to JavaScript", () => {
    const names = ["__proto__", "constructor", "toString", "10", "9", "ö\u0000\ud800"];
    const tensors = new Map(names.map((name, i) => [name, tensor(i)]));
    const { tensors: read } = readSafetensors(writeSafetensors(tensors, { __proto__: "x", k: "v" }), "file");
    expect([...read.keys()].sort()).toEqual([...names].sort());
    for (const name of names) expect(read.get(name)).toEqual(tensors.get(name));
    const { metadata } = readSafetensors(file('{"__metadata__":{"__proto__":"a"}}'), "file");
    expect(Object.entries(metadata)).toEqual([["__proto__", "a"]]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(), /only 0 bytes/],
    ["a file within the length", new Uint8Array(7), /only 7 bytes/],
    ["a header beyond the end", file({}, [], 3n), /claims 3 bytes, but the file ends after 10/],
    ["a header beyond the bound", file({}, [], 2n ** 63n), /claims 9223372036854775808 bytes, more than/],
    ["a header that is no object", file("[]"), /brace/],
    ["a header that is not JSON", file("{]"), /not JSON/],
    ["a header that is not UTF-8", Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22, 0xff, 0x22), /not JSON/],
    ["a header behind a byte order mark", file("\ufeff{}"), /brace/],
    ["a tensor twice", file('{"a":0,"\\u0061":1}'), /key "a" twice/],
    ["a field twice", file('{"a":{"shape":[1],"shape":[2]}}'), /key "shape" twice/],
    ["a tensor that is no object", file({ a: [1] }), /not described by an object/],
    ["a null tensor", file({ a: null }), /not described by an object/],
    ["an unknown field", file({ a: { ...f32([0], 0, 0), extra: 1 } }), /unknown field "extra"/],
    ["no type", file({ a: { shape: [0], data_offsets: [0, 0] } }), /type \(none\)/],
    ["integers", file({ a: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, new Uint8Array(8)), /type I64/],
    ["a type from a prototype", file({ a: { ...f32([0], 0, 0), dtype: "constructor" } }), /type constructor/],
    ["no shape", file({ a: { dtype: "F32", data_offsets: [0, 0] } }), /shape that is not a list/],
    ["a shape in words", file({ a: f32(["1"], 0, 4) }, new Uint8Array(4)), /shape that is not a list/],
    ["a negative extent", file({ a: f32([-1], 0, 4) }, new Uint8Array(4)), /shape that is not a list/],
    ["a broken extent", file({ a: f32([0.5], 0, 2) }, new Uint8Array(2)), /shape that is not a list/],
    ["a shape past counting", file({ a: f32([2 ** 30, 2 ** 30], 0, 4) }, new Uint8Array(4)), /impossibly large/],
    ["one offset", file({ a: { dtype: "F32", shape: [0], data_offsets: [0] } }), /not two integers/],
    ["offsets in words", file({ a: f32([0], "0", "0") }), /not two integers/],
    ["offsets that run back", file({ a: f32([1], 4, 0) }, new Uint8Array(4)), /outside/],
    ["offsets past the end", file({ a: f32([2], 0, 8) }, new Uint8Array(4)), /outside/],
    ["a range that does not fit the shape", file({ a: f32([2], 0, 4) }, new Uint8Array(4)), /do not fit F32 2/],
    ["overlapping tensors", file({ a: f32([2], 0, 8), b: f32([1], 4, 8) }, new Uint8Array(8)), /"b" overlaps/],
    ["a tensor within another", file({ a: f32([3], 0, 12), b: f32([1], 4, 8) }, new Uint8Array(12)), /"b" overlaps/],
    ["a hole", file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, new Uint8Array(12)), /4 bytes before tensor "b"/],
    ["bytes at the end", file({ a: f32([1], 0, 4) }, new Uint8Array(5)), /last 1 bytes/],
    ["metadata that are not text", file({ __metadata__: { a: 1 } }), /__metadata__/],
    ["metadata that are a list", file({ __metadata__: ["a"] }), /__metadata__/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes, "model.safetensors")).toThrow(message);
    expect(() => readSafetensors(bytes, "model.safetensors")).toThrow(EngineError);
    expect(() => readSafetensors(bytes, "model.safetensors")).toThrow(/^model\.safetensors: .*; /);
  });

  it("refuses deeply nested JSON without overflowing the stack, and quickly", () => {
    const depth = 500_000;
    const start = performance.now();
    expect(() => readSafetensors(file('{"a":' + "[".repeat(depth) + "]".repeat(depth) + "}"), "file")).toThrow(
      EngineError,
    );
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it("never crashes on damaged files", () => {
    const sound = writeSafetensors(
      new Map([
        ["conv.weight", { shape: [2, 1, 1, 2], data: Float32Array.of(1, 2, 3, 4) }],
        ["conv.bias", tensor(5, 6)],
      ]),
      { format: "test" },
    );
    fc.assert(
      fc.property(arbitraryMutant(sound), (bytes) =>
        expectRefusalOrSense(() => readSafetensors(bytes, "mutant").tensors, "weights", bytes.length),
      ),
      { numRuns: 2000 },
    );
  });

  it.skipIf(!process.env["GOOGLENET_WEIGHTS"])(
    "round-trips the trained file byte for byte (needs GOOGLENET_WEIGHTS)",
    () => {
      const bytes = readFileSync(process.env["GOOGLENET_WEIGHTS"]!);
      const { tensors, metadata } = readSafetensors(bytes, "trained");
      expect(tensors.size).toBe(116);
      expect(bytes.equals(writeSafetensors(tensors, metadata))).toBe(true);
    },
  );
});

describe("writeSafetensors", () => {
  it("round-trips bit for bit, with the data aligned", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: "binary" }), arbitraryTensor())),
        fc.dictionary(fc.string(), fc.string()),
        (entries, metadata) => {
          const tensors = new Map(entries);
          const bytes = writeSafetensors(tensors, metadata);
          expect(looksLikeSafetensors(bytes)).toBe(true);
          expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
          const read = readSafetensors(bytes, "round trip");
          const sorted = (of: ReadonlyMap<string, Tensor>) => bits(of).sort(([a], [b]) => (a < b ? -1 : 1));
          expect(sorted(read.tensors)).toEqual(sorted(tensors));
          expect({ ...read.metadata }).toEqual({ ...metadata });
        },
      ),
    );
  });

  it("refuses a tensor whose data do not fill its shape, and the reserved name", () => {
    expect(() => writeSafetensors(new Map([["a", { shape: [2], data: Float32Array.of(1) }]]))).toThrow(/1 elements/);
    expect(() => writeSafetensors(new Map([["__metadata__", tensor(1)]]))).toThrow(/reserved/);
  });
});
