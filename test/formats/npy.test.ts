import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { readNpy, writeNpy } from "../../src/formats/npy.ts";
import { arbitraryMutant, arbitraryTensor, bits, expectRefusalOrSense } from "./mutants.ts";

/** A file with this header text and data, sound or not. */
function file(header: string, data: ArrayLike<number>, version = 1, minor = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  const magic = [0x93, ...new TextEncoder().encode("NUMPY"), version, minor, ...length];
  return Uint8Array.from([...magic, ...text, ...Array.from(data)]);
}

const header = (descr: string, shape: string, fortran = "False") =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
const bytesOf = (values: Float32Array | Float64Array) => new Uint8Array(values.buffer);
const four = new Uint8Array(4);

describe("readNpy", () => {
  it.each([1, 2, 3])("reads version %i", (version) => {
    const bytes = file(header("<f4", "(2, 1)"), bytesOf(Float32Array.of(1.5, -2)), version);
    expect(readNpy(bytes, "file")).toEqual({ shape: [2, 1], data: Float32Array.of(1.5, -2) });
  });

  it.each<[string, ArrayLike<number>]>([
    ["<f8", bytesOf(Float64Array.of(1.5, -2))],
    ["<f2", [0x00, 0x3e, 0x00, 0xc0]],
  ])("reads %s as float32", (descr, data) => {
    expect(readNpy(file(header(descr, "(2,)"), data), "file")).toEqual({ shape: [2], data: Float32Array.of(1.5, -2) });
  });

  it("reads a header as other writers lay it out", () => {
    const text = '{ "shape":(1 ,2 , ),"fortran_order" : False,"descr":"<f4"}   \n';
    expect(readNpy(file(text, new Uint8Array(8)), "file").shape).toEqual([1, 2]);
    expect(readNpy(file(header("<f4", "()"), four), "file").shape).toEqual([]);
  });

  // numpy.save of arange(6, dtype='<f4').reshape(2, 3), NumPy 2.4, in hexadecimal.
  it("agrees with NumPy's own bytes", () => {
    const dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    const tensor = { shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) };
    const numpy = file(dict.padEnd(117) + "\n", bytesOf(tensor.data));
    expect(numpy.length).toBe(152);
    expect(Buffer.from(writeNpy(tensor)).equals(numpy)).toBe(true);
    expect(readNpy(numpy, "file")).toEqual(tensor);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(), /is empty/],
    ["another file", new TextEncoder().encode("P5 640 480 255 ...."), /not an \.npy file/],
    ["an unknown version", file(header("<f4", "(1,)"), four, 4), /version 4\.0/],
    ["an unknown minor version", file(header("<f4", "(1,)"), four, 1, 1), /version 1\.1/],
    ["a file within the header's length", file("", [], 2).subarray(0, 11), /ends within its header/],
    ["a file within the header", file(header("<f4", "(1,)"), []).subarray(0, 40), /ends within its header/],
    ["integers", file(header("<i8", "(1,)"), new Uint8Array(8)), /type "<i8"/],
    ["big-endian numbers", file(header(">f4", "(1,)"), four), /type ">f4"/],
    ["records", file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n", four), /records/],
    ["Fortran order", file(header("<f4", "(1, 1)", "True"), four), /Fortran order/],
    ["a text for a truth", file(header("<f4", "(1,)", "'False'"), four), /names no order/],
    ["too few data", file(header("<f4", "(2,)"), four), /4 bytes of data do not fit <f4 2/],
    ["bytes at the end", file(header("<f4", "(1,)"), new Uint8Array(5)), /5 bytes of data do not fit/],
    ["a shape past counting", file(header("<f4", "(4294967296, 4294967296)"), four), /do not fit/],
    ["a huge extent", file(header("<f4", "(99999999999999999999,)"), four), /in place of an integer/],
    ["a negative extent", file(header("<f4", "(-1,)"), four), /cannot be read/],
    ["an expression", file(header("<f4", "(1+1,)"), four), /cannot be read/],
    ["a number for a tuple", file(header("<f4", "(1)"), four), /in place of ,/],
    ["a list for a tuple", file(header("<f4", "[1]"), four), /records/],
    ["too many axes", file(header("<f4", `(${"1,".repeat(65)})`), four), /more than 64 axes/],
    ["no shape", file("{'descr': '<f4', 'fortran_order': False}\n", four), /names no shape/],
    ["no type", file("{'shape': (1,), 'fortran_order': False}\n", four), /names no type/],
    ["a key twice", file("{'descr': '<f4', 'descr': '<f4'}\n", four), /unexpected key descr/],
    ["an unknown key", file("{'__proto__': '<f4'}\n", four), /unexpected key __proto__/],
    ["a key that is not text", file("{descr: '<f4'}\n", four), /unexpected key/],
    ["words after the dict", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} 1\n", four), /goes on/],
    ["a dict that does not end", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", four), /end/],
    [
      "a header that is not text",
      Uint8Array.from([...file("{".padEnd(8), []).subarray(0, 11), 0xff, 0, 0, 0, 0, 0, 0]),
      /not text/,
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readNpy(bytes, "in.npy")).toThrow(message);
    expect(() => readNpy(bytes, "in.npy")).toThrow(EngineError);
    expect(() => readNpy(bytes, "in.npy")).toThrow(/^in\.npy: .*; /);
  });

  it("never crashes on damaged files", () => {
    const sound = writeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    fc.assert(
      fc.property(arbitraryMutant(sound), (bytes) =>
        expectRefusalOrSense(() => new Map([["array", readNpy(bytes, "mutant")]]), "array", bytes.length),
      ),
      { numRuns: 2000 },
    );
  });
});

describe("writeNpy", () => {
  it("round-trips bit for bit, with the data aligned to 64 bytes", () => {
    fc.assert(
      fc.property(arbitraryTensor(0, 6), (tensor) => {
        const bytes = writeNpy(tensor);
        expect((bytes.length - tensor.data.byteLength) % 64).toBe(0);
        expect(bits(new Map([["array", readNpy(bytes, "round trip")]]))).toEqual(bits(new Map([["array", tensor]])));
      }),
    );
  });

  it("refuses data that do not fill the shape", () => {
    expect(() => writeNpy({ shape: [2], data: Float32Array.of(1) })).toThrow(/1 elements/);
  });
});
