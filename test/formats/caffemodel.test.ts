import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { readCaffemodel } from "../../src/formats/caffemodel.ts";
import { writeCaffemodel } from "../../src/formats/caffemodel-write.ts";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { arbitraryMutant, arbitraryTensorOf, bits, expectRefusalOrSense } from "./mutants.ts";

type Write = (writer: BinaryWriter) => BinaryWriter;

/** A length-delimited field whose contents `write` writes. */
const field =
  (number: number, ...write: Write[]): Write =>
  (writer) => {
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const part of write) part(writer);
    return writer.join();
  };
const text =
  (number: number, value: string): Write =>
  (writer) =>
    writer.tag(number, WireType.LengthDelimited).string(value);
const integer =
  (number: number, value: number | bigint): Write =>
  (writer) =>
    writer.tag(number, WireType.Varint).int64(value);
const packed = (number: number, ...values: number[]): Write =>
  field(number, ...values.map((value) => (writer: BinaryWriter) => writer.float(value)));
const unpacked =
  (number: number, ...values: number[]): Write =>
  (writer) =>
    values.reduce((w, value) => w.tag(number, WireType.Bit32).float(value), writer);
const shape = (...dims: (number | bigint)[]): Write =>
  field(7, field(1, ...dims.map((dim) => (writer: BinaryWriter) => writer.int64(dim))));
const legacyShape: (...dims: number[]) => Write =
  (...dims) =>
  (writer) =>
    dims.reduce((w, dim, axis) => integer(axis + 1, dim)(w), writer);
const net = (...parts: Write[]): Uint8Array => {
  const writer = new BinaryWriter();
  for (const part of parts) part(writer);
  return writer.finish();
};
/** A new-style convolution layer with these blobs. */
const layer = (...blobs: Write[]): Write => field(100, text(1, "conv"), text(2, "Convolution"), ...blobs);
const blob = (...parts: Write[]): Write => field(7, ...parts);

const floats = (dims: number[], ...values: number[]): Tensor => ({ shape: dims, data: Float32Array.from(values) });

describe("readCaffemodel", () => {
  it("reads the new encoding", () => {
    const bytes = net(
      text(1, "Net"),
      field(100, text(1, "data"), text(2, "Input")),
      layer(blob(packed(5, 1, 2), shape(2, 1, 1, 1)), blob(packed(5, 3, 4), shape(2))),
      field(
        100,
        text(1, "fc"),
        text(2, "InnerProduct"),
        blob(packed(5, 5, 6), shape(1, 2)),
        blob(packed(5, 7), shape(1)),
      ),
    );
    expect(readCaffemodel(bytes, "file")).toEqual({
      network: "Net",
      types: new Map(["conv.weight", "conv.bias", "fc.weight", "fc.bias"].map((name) => [name, "F32"])),
      tensors: new Map([
        ["conv.weight", floats([2, 1, 1, 1], 1, 2)],
        ["conv.bias", floats([2], 3, 4)],
        ["fc.weight", floats([1, 2], 5, 6)],
        ["fc.bias", floats([1], 7)],
      ]),
    });
  });

  it("reads the old encoding and drops the axes that it pads shapes with", () => {
    const bytes = net(
      field(2, text(4, "conv"), integer(5, 4), field(6, legacyShape(2, 1, 1, 1), packed(5, 1, 2))),
      field(
        2,
        text(4, "fc"),
        integer(5, 14),
        field(6, legacyShape(1, 1, 1, 2), packed(5, 5, 6)),
        field(6, legacyShape(1, 1, 1, 1), packed(5, 7)),
      ),
      text(1, "Old"),
    );
    expect(readCaffemodel(bytes, "file")).toEqual({
      network: "Old",
      types: new Map(["conv.weight", "fc.weight", "fc.bias"].map((name) => [name, "F32"])),
      tensors: new Map([
        ["conv.weight", floats([2, 1, 1, 1], 1, 2)],
        ["fc.weight", floats([1, 2], 5, 6)],
        ["fc.bias", floats([1], 7)],
      ]),
    });
  });

  it("keeps the axes of a 1×1×O×I convolution", () => {
    const bytes = net(field(2, text(4, "conv"), integer(5, 4), field(6, legacyShape(1, 1, 2, 1), packed(5, 1, 2))));
    expect(readCaffemodel(bytes, "file").tensors.get("conv.weight")!.shape).toEqual([1, 1, 2, 1]);
  });

  it("reads data packed, unpacked, in parts and as doubles, and passes over gradients and what it does not know", () => {
    const four = floats([4], 1, 2, 3, 4);
    const one = (...data: Write[]) =>
      readCaffemodel(net(layer(blob(shape(4), ...data))), "file").tensors.get("conv.weight");
    expect(one(unpacked(5, 1, 2, 3, 4))).toEqual(four);
    expect(one(packed(5, 1), unpacked(5, 2, 3), packed(6, 9, 9, 9, 9), packed(5), packed(5, 4))).toEqual(four);
    expect(one(unpacked(5, 1), integer(77, 5), unpacked(5, 2), unpacked(6, 8), unpacked(5, 3, 4))).toEqual(four);
    const double: Write = (w) => [1, 2].reduce((v, x) => v.double(x), w);
    const unpackedDoubles: Write = (w) => [3, 4].reduce((v, x) => v.tag(8, WireType.Bit64).double(x), w);
    expect(one(field(8, double), unpackedDoubles)).toEqual(four);
    const { types } = readCaffemodel(net(layer(blob(shape(2), field(8, double)))), "file");
    expect(types.get("conv.weight")).toBe("F64");
    expect(one(field(77, text(1, "?")), packed(5, 1, 2, 3, 4))).toEqual(four);
  });

  it("names a layer's further blobs by their number", () => {
    const norm = [blob(shape(1), packed(5, 1)), blob(shape(1), packed(5, 2)), blob(shape(1), packed(5, 3))];
    const bytes = net(field(100, text(1, "bn"), text(2, "BatchNorm"), ...norm));
    expect([...readCaffemodel(bytes, "file").tensors.keys()]).toEqual(["bn.weight", "bn.bias", "bn.blob2"]);
  });

  const one = packed(5, 1);
  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(), /no layer in it has weights/],
    ["a network without weights", net(text(1, "Net"), field(100, text(1, "data"))), /no layer in it has weights/],
    ["a name that is not UTF-8", Uint8Array.of(0x0a, 1, 0xff), /damaged/],
    ["a length past the end", Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), /damaged or cut short/],
    ["a varint without end", new Uint8Array(64).fill(0xff), /damaged/],
    ["field number 0", Uint8Array.of(0x02, 0), /damaged/],
    ["wire type 7", Uint8Array.of(0x0f, 0), /damaged/],
    ["a group", Uint8Array.of(0x0b, 0x0c), /group/],
    ["a fixed number cut short", Uint8Array.of(0x0d, 1, 2), /damaged or cut short/],
    ["a layer without a name", net(field(100, blob(shape(1), one))), /no name/],
    ["a layer twice", net(layer(blob(shape(1), one)), layer(blob(shape(1), one))), /"conv" has weights twice/],
    ["a blob without a shape", net(layer(blob(one))), /no shape/],
    ["a blob without data", net(layer(blob(shape(1)))), /of shape 1 has 0 elements/],
    ["a blob with too many data", net(layer(blob(shape(1), packed(5, 1, 2)))), /of shape 1 has 2 elements/],
    ["a blob whose data end within a number", net(layer(blob(shape(1), text(5, "abc")))), /within a number/],
    [
      "a blob cut within an unpacked number",
      net(layer(blob(shape(1), (w) => w.tag(5, WireType.Bit32).raw(Uint8Array.of(1, 2))))),
      /cut short/,
    ],
    [
      "a blob with both types",
      net(
        layer(
          blob(
            shape(1),
            one,
            field(8, (w) => w.double(1)),
          ),
        ),
      ),
      /both float and double/,
    ],
    ["a negative extent", net(layer(blob(shape(-1), one))), /extent -1/],
    ["an extent past counting", net(layer(blob(shape(2n ** 60n), one))), /extent 1152921504606846976/],
    ["a shape past counting", net(layer(blob(shape(2 ** 40, 2 ** 40), one))), /has 1 elements/],
    [
      "a shape cut short",
      net(
        layer(
          blob(
            field(7, (w) => w.tag(1, WireType.LengthDelimited).uint32(9).uint32(1)),
            one,
          ),
        ),
      ),
      /shape is cut short/,
    ],
    [
      "a shape whose last number runs on",
      net(
        layer(
          blob(
            field(7, (w) => w.tag(1, WireType.LengthDelimited).raw(Uint8Array.of(1, 0x80, 1))),
            one,
          ),
        ),
      ),
      /shape is cut short/,
    ],
    ["too many axes", net(layer(blob(shape(...new Array<number>(33).fill(1)), one))), /more than 32 axes/],
    [
      "a two-dimensional bias",
      net(layer(blob(shape(1), one), blob(shape(2, 1), packed(5, 1, 2)))),
      /conv\.bias has the shape 2×1/,
    ],
    [
      "a four-dimensional fully connected layer",
      net(field(100, text(1, "fc"), text(2, "InnerProduct"), blob(shape(1, 2, 1, 1), packed(5, 1, 2)))),
      /fc\.weight has the shape/,
    ],
    ["too many blobs", net(layer(...new Array<Write>(17).fill(blob(shape(1), one)))), /more than 16 blobs/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readCaffemodel(bytes, "net.caffemodel")).toThrow(message);
    expect(() => readCaffemodel(bytes, "net.caffemodel")).toThrow(EngineError);
    expect(() => readCaffemodel(bytes, "net.caffemodel")).toThrow(/^net\.caffemodel: .*; /);
  });

  it.each<[string, () => Uint8Array, RegExp]>([
    ["millions of empty layers", () => repeat(net(field(100)), 4_000_000), /more than 65536 layers/],
    ["millions of unknown fields", () => repeat(net(integer(9, 1)), 6_000_000), /more than 1000000 fields/],
    ["millions of empty blobs", () => net(layer((w) => w.raw(repeat(net(field(7)), 4_000_000)))), /no shape|blobs/],
    [
      "millions of extents",
      () => net(layer(blob(field(7, (w) => w.raw(repeat(net(integer(1, 1)), 4_000_000)))))),
      /axes/,
    ],
    ["a tower of layers", () => tower(5_000), /no layer in it has weights/],
  ])("refuses %s within a second", (_, bytes, message) => {
    const hostile = bytes();
    const start = performance.now();
    expect(() => readCaffemodel(hostile, "file")).toThrow(message);
    // Well under a second; threefold for a machine that is busy.
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it("reads millions of unpacked numbers in reasonable time", () => {
    const count = 2_000_000;
    const bytes = net(layer(blob(shape(count), (w) => w.raw(repeat(net(unpacked(5, 1)), count)))));
    const { data } = readCaffemodel(bytes, "file").tensors.get("conv.weight")!;
    expect(data.length).toBe(count);
    expect(data.every((value) => value === 1)).toBe(true);
  });

  const small = new Map([
    ["conv.weight", floats([2, 1, 1, 2], 1, 2, 3, 4)],
    ["conv.bias", floats([2], 5, 6)],
    ["fc.weight", floats([1, 2], 7, 8)],
  ]);
  it.each([false, true])("never crashes on damaged files (legacy: %s)", (legacy) => {
    const sound = writeCaffemodel("mutant", small, { legacy });
    fc.assert(
      fc.property(arbitraryMutant(sound), (bytes) =>
        expectRefusalOrSense(() => readCaffemodel(bytes, "mutant").tensors, "weights", bytes.length),
      ),
      { numRuns: 2000 },
    );
  });
});

describe("writeCaffemodel", () => {
  it("round-trips bit for bit in both encodings", () => {
    const extent = fc.integer({ min: 1, max: 3 });
    const layers = fc.uniqueArray(
      fc.record({
        name: fc.string({ minLength: 1 }),
        weight: fc
          .oneof(fc.tuple(extent, extent), fc.tuple(extent, extent, extent, extent))
          .chain((dims) => arbitraryTensorOf(dims)),
        bias: fc.option(extent.chain((count) => arbitraryTensorOf([count]))),
      }),
      { minLength: 1, selector: ({ name }) => name },
    );
    fc.assert(
      fc.property(layers, fc.string(), fc.boolean(), (list, network, legacy) => {
        const tensors = new Map<string, Tensor>();
        for (const { name, weight, bias } of list) {
          tensors.set(`${name}.weight`, weight);
          if (bias) tensors.set(`${name}.bias`, bias);
        }
        const read = readCaffemodel(writeCaffemodel(network, tensors, { legacy }), "round trip");
        expect(read.network).toBe(network);
        expect(bits(read.tensors)).toEqual(bits(tensors));
      }),
    );
  });

  it.each<[string, [string, Tensor][], RegExp]>([
    ["a tensor that is neither weight nor bias", [["a.scale", floats([1], 1)]], /a\.scale: is neither/],
    ["a bias alone", [["a.bias", floats([1], 1)]], /a\.bias: has no weight/],
    ["a weight of three axes", [["a.weight", floats([1, 1, 1], 1)]], /3 axes/],
    ["data that do not fill the shape", [["a.weight", floats([1, 2], 1)]], /1 elements/],
  ])("refuses %s", (_, tensors, message) => {
    expect(() => writeCaffemodel("net", new Map(tensors))).toThrow(message);
  });

  it.skipIf(!process.env["GOOGLENET_WEIGHTS"])(
    "round-trips the trained network bit for bit (needs GOOGLENET_WEIGHTS)",
    () => {
      const { tensors } = readSafetensors(readFileSync(process.env["GOOGLENET_WEIGHTS"]!), "trained");
      for (const legacy of [false, true]) {
        const read = readCaffemodel(writeCaffemodel("GoogleNet", tensors, { legacy }), "round trip");
        expect([...read.tensors.keys()]).toEqual([...tensors.keys()]);
        for (const [name, { shape, data }] of tensors) {
          expect(read.tensors.get(name)!.shape).toEqual(shape);
          expect(
            Buffer.compare(Buffer.from(read.tensors.get(name)!.data.buffer), Buffer.from(data.slice().buffer)),
          ).toBe(0);
        }
      }
    },
  );
});

function repeat(part: Uint8Array, count: number): Uint8Array {
  const bytes = new Uint8Array(part.length * count);
  for (let i = 0; i < count; i++) bytes.set(part, i * part.length);
  return bytes;
}

/** A layer within a layer, and so on: no network has that, so nobody may descend into it. */
function tower(depth: number): Uint8Array {
  const writer = new BinaryWriter();
  for (let i = 0; i < depth; i++) writer.tag(100, WireType.LengthDelimited).fork();
  for (let i = 0; i < depth; i++) writer.join();
  return writer.finish();
}
