/** What ONNX files hold beside their ops: types, open extents, constants, other files; and what is refused, by name. */

import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { runReference } from "../../../src/cpu/reference.ts";
import { EngineError } from "../../../src/errors.ts";
import { encodeModel, type ModelSource, type NodeSource } from "../../../src/formats/onnx/encode.ts";
import { modelFor } from "../../../src/formats/model-file.ts";
import { OnnxFile, type OnnxOptions, readOnnx } from "../../../src/formats/onnx/read.ts";
import { inferShapesForBatch } from "../../../src/graph/graph.ts";
import { imageValues } from "../../../src/plan/images.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { randomTensor, uniform } from "../../support/random.ts";

const tensor = (shape: number[], ...values: number[]): Tensor => ({ shape, data: Float32Array.from(values) });

/** A model of these nodes, from `x` to `y`. */
function source(nodes: readonly NodeSource[], more: Partial<ModelSource> = {}): ModelSource {
  return {
    name: "net",
    irVersion: 8,
    opset: 17,
    nodes,
    initializers: [],
    inputs: [["x", ["N", 2, 6, 5]]],
    outputs: [["y", null]],
    ...more,
  };
}

const relu: NodeSource = { type: "Relu", inputs: ["x"], output: "y" };
const read = (model: ModelSource, options: OnnxOptions = {}) => readOnnx(encodeModel(model), "net.onnx", options);

/** Values of `y` for an `x`. */
async function run(model: ModelSource, x: Tensor, options: OnnxOptions = {}, batch = x.shape[0]): Promise<Tensor> {
  const { graph, weights } = await read(model, options);
  return (await runReference(inferShapesForBatch(graph, batch), weights, new Map([["x", x]]))).get("y")!;
}

describe("shapes are known before anything runs", () => {
  const x = randomTensor([3, 2, 6, 5], uniform(1));
  const lists = [
    ["zero", [0]],
    ["one", [1]],
    ["minus", [-1]],
    ["sixty", [60]],
  ] as const;

  test.each<[string, readonly NodeSource[], number[]]>([
    [
      "Shape, Gather, Concat, Reshape",
      [
        { type: "Shape", inputs: ["x"], output: "s" },
        { type: "Gather", inputs: ["s", "zero"], output: "n", attributes: { axis: 0 } },
        { type: "Concat", inputs: ["n", "minus"], output: "t", attributes: { axis: 0 } },
        { type: "Reshape", inputs: ["x", "t"], output: "y" },
      ],
      [3, 60],
    ],
    [
      "Shape, Slice, Squeeze, Unsqueeze, Cast",
      [
        { type: "Shape", inputs: ["x"], output: "s" },
        { type: "Slice", inputs: ["s", "zero", "one", "zero"], output: "n1" },
        { type: "Squeeze", inputs: ["n1", "zero"], output: "n0" },
        { type: "Cast", inputs: ["n0"], output: "nf", attributes: { to: 1 } },
        { type: "Cast", inputs: ["nf"], output: "ni", attributes: { to: 7 } },
        { type: "Unsqueeze", inputs: ["ni", "zero"], output: "n" },
        { type: "Concat", inputs: ["n", "sixty"], output: "t", attributes: { axis: 0 } },
        { type: "Reshape", inputs: ["x", "t"], output: "y" },
      ],
      [3, 60],
    ],
    [
      "the batch times what is left",
      [
        { type: "Shape", inputs: ["x"], output: "s", attributes: { start: 0, end: 2 } },
        { type: "Gather", inputs: ["s", "zero"], output: "n" },
        { type: "Gather", inputs: ["s", "one"], output: "c" },
        { type: "Mul", inputs: ["n", "c"], output: "nc" },
        { type: "Concat", inputs: ["nc", "minus"], output: "t", attributes: { axis: 0 } },
        { type: "Div", inputs: ["nc", "c"], output: "n2" },
        { type: "Concat", inputs: ["n2", "sixty"], output: "t2", attributes: { axis: 0 } },
        { type: "Reshape", inputs: ["x", "t2"], output: "y" },
      ],
      [3, 60],
    ],
    [
      "Flatten to the extents of another value",
      [
        { type: "Flatten", inputs: ["x"], output: "f" },
        { type: "Shape", inputs: ["f"], output: "s" },
        { type: "Reshape", inputs: ["x", "s"], output: "y" },
      ],
      [3, 60],
    ],
  ])("%s", async (_, nodes, shape) => {
    const model = source(nodes, { initializers: lists });
    expect(await run(model, x)).toEqual({ shape, data: x.data });
    const { graph } = await read(model);
    expect(graph.nodes.map(({ op }) => op.type)).toEqual(["reshape"]);
    expect(graph.inputs).toEqual([{ name: "x", shape: ["N", 2, 6, 5] }]);
  });

  test("a batch that the file fixes in a Reshape is right for that batch alone", async () => {
    const model = source([{ type: "Reshape", inputs: ["x", "t"], output: "y" }], { initializers: [["t", [1, 60]]] });
    await expect(read(model)).rejects.toThrow(/node "Reshape y" \(Reshape\): N×2×6×5 cannot be reshaped to 1×60/);
    const one = randomTensor([1, 2, 6, 5], uniform(2));
    expect((await run(model, one, { freeDimensionOverrides: { N: 1 } })).shape).toEqual([1, 60]);
  });

  test("what is left for an extent has to be what the file says it is", async () => {
    const model = source(
      [
        { type: "Shape", inputs: ["x"], output: "s" },
        { type: "Slice", inputs: ["s", "zero", "one", "zero"], output: "n" },
        { type: "Add", inputs: ["n", "n"], output: "twice" },
        { type: "Concat", inputs: ["twice", "sixty"], output: "t", attributes: { axis: 0 } },
        { type: "Reshape", inputs: ["x", "t"], output: "y" },
      ],
      { initializers: lists },
    );
    await expect(read(model)).rejects.toThrow(/\(Reshape\): its shape depends on the batch size/);
    await expect(read(model, { freeDimensionOverrides: { N: 3 } })).rejects.toThrow(
      /3×2×6×5 cannot be reshaped to 6×60/,
    );
  });

  test("extents may be called anything", async () => {
    const model = source([relu], { inputs: [["x", ["constructor", "__proto__"]]] });
    await expect(read(model)).rejects.toThrow(/its extent __proto__ is open/);
    const { graph } = await read(model, { freeDimensionOverrides: Object.fromEntries([["__proto__", 3]]) });
    expect(graph.inputs).toEqual([{ name: "x", shape: ["N", 3] }]);
  });

  test("what depends on the batch size otherwise is refused until that is bound", async () => {
    const model = source(
      [
        { type: "Shape", inputs: ["x"], output: "s" },
        { type: "Slice", inputs: ["s", "zero", "one", "zero"], output: "n" },
        { type: "Slice", inputs: ["x", "zero", "n", "one"], output: "y" },
      ],
      { initializers: lists },
    );
    await expect(read(model)).rejects.toThrow(/its ends depends on the batch size; bind the batch size, or export/);
    expect((await run(model, x, { freeDimensionOverrides: { N: 3 } })).shape).toEqual([3, 2, 6, 5]);
  });

  const batch: readonly NodeSource[] = [
    { type: "Shape", inputs: ["x"], output: "s" },
    { type: "Gather", inputs: ["s", "zero"], output: "n", attributes: { axis: 0 } },
  ];
  const sliceFrom = (start: string): NodeSource => ({ type: "Slice", inputs: ["x", start, "big", "one"], output: "y" });
  const numbers: ModelSource["initializers"] = [
    ...lists,
    ["two", [2]],
    ["seven", [7]],
    ["eleven", [11]],
    ["sixteen", [16]],
    ["big", [1000]],
  ];

  test.each<[string, readonly NodeSource[]]>([
    ["Div", [{ type: "Div", inputs: ["n", "sixteen"], output: "start" }]],
    [
      "Cast",
      [
        { type: "Cast", inputs: ["n"], output: "real", attributes: { to: 1 } },
        { type: "Cast", inputs: ["sixteen"], output: "sixteen real", attributes: { to: 1 } },
        { type: "Div", inputs: ["real", "sixteen real"], output: "quotient" },
        { type: "Cast", inputs: ["quotient"], output: "start", attributes: { to: 7 } },
      ],
    ],
    [
      "Mul",
      [
        { type: "Sub", inputs: ["n", "seven"], output: "a" },
        { type: "Sub", inputs: ["n", "eleven"], output: "b" },
        { type: "Mul", inputs: ["a", "b"], output: "product" },
        { type: "Div", inputs: ["product", "big"], output: "zeros" },
        { type: "Div", inputs: ["n", "sixteen"], output: "more" },
        { type: "Add", inputs: ["zeros", "more"], output: "start" },
      ],
    ],
  ])("what two batch sizes have in common by accident is not taken for all: %s", async (_, nodes) => {
    const model = source([...batch, ...nodes, sliceFrom("start")], { initializers: numbers });
    await expect(read(model)).rejects.toThrow(/its starts depends on the batch size; bind the batch size/);
    const sixteen = randomTensor([16, 2, 6, 5], uniform(11));
    const bytes = encodeModel(model);
    const file = new OnnxFile(bytes, "net.onnx");
    const { graph, weights } = await modelFor(file, new Map([["x", sixteen.shape]]));
    const given = await runReference(inferShapesForBatch(graph, 16), weights, new Map([["x", sixteen]]));
    const session = await InferenceSession.create(bytes, { executionProviders: ["cpu"], logSeverityLevel: 4 });
    const { y } = await session.run({ x: new OnnxTensor("float32", sixteen.data, sixteen.shape) });
    await session.release();
    expect(given.get("y")).toEqual({ shape: y.dims, data: y.data });
    expect(y.dims).toEqual([16, 1, 6, 5]);
  });

  /** Every range of a batch that ends somewhere, whose extent makes another shape's. */
  const cut = (start: number, end: number, step: number): ModelSource =>
    source(
      [
        { type: "Slice", inputs: ["x", "start", "end", "zero", "step"], output: "c" },
        { type: "Shape", inputs: ["c"], output: "cs" },
        { type: "Gather", inputs: ["cs", "zero"], output: "n", attributes: { axis: 0 } },
        { type: "Concat", inputs: ["n", "minus"], output: "t", attributes: { axis: 0 } },
        { type: "Reshape", inputs: ["x", "t"], output: "y" },
      ],
      { initializers: [...lists, ["start", [start]], ["end", [end]], ["step", [step]]] },
    );
  const toTheEnd = 2 ** 31 - 1;
  test.each<[apart: boolean, start: number, end: number, step: number]>([
    [true, 0, toTheEnd, 1],
    [true, -1, -toTheEnd, -1],
    [false, 0, 16, 1],
    [false, 0, 1000, 1],
    [false, 0, 2, 1],
    [false, -16, toTheEnd, 1],
    [false, 15, -toTheEnd, -1],
    [false, 0, toTheEnd, 16],
  ])(
    "a part of a batch is as much as ONNX Runtime takes, or is refused (%s): %i to %i by %i",
    async (open, ...range) => {
      const bytes = encodeModel(cut(...range));
      const file = new OnnxFile(bytes, "net.onnx");
      const session = await InferenceSession.create(bytes, { executionProviders: ["cpu"], logSeverityLevel: 4 });
      for (const images of [1, 4, 16, 24]) {
        const batch = randomTensor([images, 2, 6, 5], uniform(images));
        const { y } = await session.run({ x: new OnnxTensor("float32", batch.data, batch.shape) });
        const { graph, weights } = await modelFor(file, new Map([["x", batch.shape]]));
        expect(graph.inputs[0].shape[0]).toBe(open ? "N" : images);
        expect(imageValues(graph, images) !== undefined).toBe(open);
        const ours = await runReference(inferShapesForBatch(graph, images), weights, new Map([["x", batch]]));
        expect(ours.get("y")).toEqual({ shape: y.dims, data: y.data });
      }
      await session.release();
    },
  );

  test.each<[string, readonly NodeSource[], number[]]>([
    ["a Reshape to it", [{ type: "Div", inputs: ["n", "two"], output: "m" }], []],
    [
      "halves put together again, of odd sizes alone",
      [
        { type: "Add", inputs: ["n", "one"], output: "n1" },
        { type: "Div", inputs: ["n1", "two"], output: "half" },
        { type: "Mul", inputs: ["half", "two"], output: "even" },
        { type: "Sub", inputs: ["even", "one"], output: "m" },
      ],
      [],
    ],
    [
      "exact for any",
      [
        { type: "Mul", inputs: ["n", "two"], output: "n2" },
        { type: "Div", inputs: ["n2", "two"], output: "m" },
      ],
      [4, 60],
    ],
  ])("quotients as an extent: %s", async (_, nodes, shape) => {
    const model = source(
      [
        ...batch,
        ...nodes,
        { type: "Concat", inputs: ["m", "minus"], output: "t", attributes: { axis: 0 } },
        { type: "Reshape", inputs: ["x", "t"], output: "y" },
      ],
      { initializers: numbers },
    );
    const four = randomTensor([4, 2, 6, 5], uniform(12));
    if (shape.length === 0)
      await expect(read(model)).rejects.toThrow(/\(Reshape\): its shape depends on the batch size/);
    else expect((await run(model, four)).shape).toEqual(shape);
  });

  test("open extents other than the batch are bound by name, those without one by their place", async () => {
    const model = source([relu], { inputs: [["x", ["batch", 2, "height", ""]]] });
    await expect(read(model)).rejects.toThrow(/^input "x": its extent height is open; say what it is/);
    const { graph } = await read(model, { freeDimensionOverrides: { height: 4, "x[3]": 5 } });
    expect(graph.inputs).toEqual([{ name: "x", shape: ["N", 2, 4, 5] }]);
    const bound = await read(model, { freeDimensionOverrides: { batch: 2, height: 4, "x[3]": 5 } });
    expect(bound.graph.inputs).toEqual([{ name: "x", shape: [2, 2, 4, 5] }]);
    await expect(read(model, { freeDimensionOverrides: { width: 4 } })).rejects.toThrow(
      /^free dimension "width": net\.onnx has none of that name; give batch, height, x\[3\]$/,
    );
    await expect(read(model, { freeDimensionOverrides: { height: 0 } })).rejects.toThrow(
      /^free dimension "height": it is 0/,
    );
  });
});

describe("tensors", () => {
  /** A model that adds the initializer that `write` writes. */
  function adding(write: (proto: BinaryWriter) => void): Uint8Array {
    const model = encodeModel(
      source([{ type: "Add", inputs: ["x", "w"], output: "y" }], { inputs: [["x", ["N", 2]]] }),
    );
    const extra = new BinaryWriter();
    extra.tag(7, WireType.LengthDelimited).fork();
    extra.tag(5, WireType.LengthDelimited).fork();
    extra.tag(8, WireType.LengthDelimited).string("w");
    write(extra);
    extra.join();
    // A second graph is refused, so the tensor goes into the first: rebuild it around.
    const graph = graphOf(model);
    const whole = new BinaryWriter();
    whole.tag(1, WireType.Varint).int64(8);
    whole.tag(7, WireType.LengthDelimited).fork().raw(graph);
    whole.tag(5, WireType.LengthDelimited).fork();
    whole.tag(8, WireType.LengthDelimited).string("w");
    write(whole);
    whole.join().join();
    whole.tag(8, WireType.LengthDelimited).fork().tag(2, WireType.Varint).int64(17).join();
    return whole.finish();
  }

  /** The bytes of a model's graph: field 7 behind the version and its length. */
  function graphOf(model: Uint8Array): Uint8Array {
    let position = 3;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = model[position++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return model.subarray(position, position + length);
  }

  const dims = (proto: BinaryWriter, ...extents: number[]) => {
    for (const extent of extents) proto.tag(1, WireType.Varint).int64(extent);
    return proto;
  };
  const type = (proto: BinaryWriter, number: number) => proto.tag(2, WireType.Varint).int32(number);
  const packed = (proto: BinaryWriter, field: number, write: (proto: BinaryWriter) => void) => {
    proto.tag(field, WireType.LengthDelimited).fork();
    write(proto);
    proto.join();
  };

  test.each<[string, (proto: BinaryWriter) => void]>([
    [
      "raw float32",
      (p) =>
        void type(dims(p, 2), 1)
          .tag(9, WireType.LengthDelimited)
          .bytes(new Uint8Array(Float32Array.of(1.5, -2).buffer)),
    ],
    ["packed float32", (p) => packed(type(dims(p, 2), 1), 4, (w) => void w.float(1.5).float(-2))],
    [
      "single float32",
      (p) => void type(dims(p, 2), 1).tag(4, WireType.Bit32).float(1.5).tag(4, WireType.Bit32).float(-2),
    ],
    [
      "raw float16",
      (p) =>
        void type(dims(p, 2), 10)
          .tag(9, WireType.LengthDelimited)
          .bytes(Uint8Array.of(0x00, 0x3e, 0x00, 0xc0)),
    ],
    ["float16 as int32", (p) => packed(type(dims(p, 2), 10), 5, (w) => void w.int32(0x3e00).int32(0xc000))],
    [
      "raw float64",
      (p) =>
        void type(dims(p, 2), 11)
          .tag(9, WireType.LengthDelimited)
          .bytes(new Uint8Array(Float64Array.of(1.5, -2).buffer)),
    ],
    ["packed float64", (p) => packed(type(dims(p, 2), 11), 10, (w) => void w.double(1.5).double(-2))],
    [
      "packed extents",
      (p) => {
        packed(p, 1, (w) => void w.int64(1).int64(2));
        packed(type(p, 1), 4, (w) => void w.float(1.5).float(-2));
      },
    ],
  ])("%s", async (_, write) => {
    const { graph, weights } = await readOnnx(adding(write), "net.onnx");
    const results = await runReference(inferShapesForBatch(graph, 1), weights, new Map([["x", tensor([1, 2], 1, 1)]]));
    expect([...results.get("y")!.data]).toEqual([2.5, -1]);
  });

  test.each<[string, (proto: BinaryWriter) => void, RegExp]>([
    [
      "too few bytes",
      (p) => void type(dims(p, 2), 1).tag(9, WireType.LengthDelimited).bytes(new Uint8Array(4)),
      /has 4 bytes of data instead of 8/,
    ],
    ["no data", (p) => void type(dims(p, 2), 1), /has 0 elements of type float/],
    [
      "data of another type",
      (p) => packed(type(dims(p, 2), 1), 5, (w) => void w.int32(1).int32(2)),
      /has its data in two ways|has 0 elements/,
    ],
    [
      "two kinds of data",
      (p) => {
        type(dims(p, 2), 1).tag(9, WireType.LengthDelimited).bytes(new Uint8Array(8));
        packed(p, 4, (w) => void w.float(1).float(1));
      },
      /two ways/,
    ],
    ["a negative extent", (p) => void type(dims(p, -2), 1), /extent -2/],
    ["extents past counting", (p) => void type(dims(p, 2 ** 40, 2 ** 40), 1), /too many elements/],
    ["too many axes", (p) => void type(dims(p, 1, 1, 1, 1, 1, 1, 1, 1, 1), 1), /more than 8 axes/],
    [
      "bfloat16",
      (p) => void type(dims(p, 2), 16).tag(9, WireType.LengthDelimited).bytes(new Uint8Array(4)),
      /is of bfloat16/,
    ],
    [
      "an integer where a float is due",
      (p) => packed(type(dims(p, 2), 7), 7, (w) => void w.int64(1).int64(2)),
      /its input "w" is of type int64, and must be float/,
    ],
    ["a string", (p) => void type(dims(p, 2), 8), /is of string/],
    ["segments", (p) => void type(dims(p, 2), 1).tag(3, WireType.LengthDelimited).fork().join(), /segments/],
  ])("refused: %s", async (_, write, message) => {
    await expect(readOnnx(adding(write), "net.onnx")).rejects.toThrow(message);
    await expect(readOnnx(adding(write), "net.onnx")).rejects.toThrow(/^net\.onnx: .*; .*$/);
  });

  const external = (entries: Readonly<Record<string, string>>) =>
    adding((p) => {
      type(dims(p, 2), 1);
      for (const [key, value] of Object.entries(entries)) {
        packed(
          p,
          13,
          (w) => void w.tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.LengthDelimited).string(value),
        );
      }
      p.tag(14, WireType.Varint).int32(1);
    });

  test("in another file, fetched once however often the model is bound, and again where that failed", async () => {
    let asked = 0;
    const file = new OnnxFile(external({ location: "w.bin", length: "8" }), "net.onnx", (_, offset, length) => {
      if (++asked === 1) throw new EngineError("model", "net.onnx", "the line is down", "try again");
      return new Uint8Array(length).fill(offset);
    });
    await expect(file.model()).rejects.toThrow("the line is down");
    await file.model();
    await file.model();
    expect(asked).toBe(2);
  });

  test("in another file, from a place in it", async () => {
    const bytes = external({ location: "data/w.bin", offset: "4", length: "8" });
    const file = new Uint8Array(Float32Array.of(9, 1.5, -2).buffer);
    const asked: unknown[] = [];
    const { weights } = await readOnnx(bytes, "net.onnx", {
      external: (location, offset, length) => {
        asked.push([location, offset, length]);
        return file.slice(offset, offset + length);
      },
    });
    expect(asked).toEqual([["data/w.bin", 4, 8]]);
    expect([...weights.get("w.weight")!.data]).toEqual([1.5, -2]);
    await expect(readOnnx(bytes, "net.onnx")).rejects.toThrow(/its data lie in another file, data\/w\.bin/);
    await expect(readOnnx(bytes, "net.onnx", { external: () => new Uint8Array(7) })).rejects.toThrow(
      /has 7 bytes of data/,
    );
  });

  test.each(["../w.bin", "a/../../w.bin", "/etc/passwd", "C:w.bin", "a\\w.bin", "", "a//b"])(
    "never outside the model's folder: %j",
    async (location) => {
      const never = () => expect.fail("it was asked for");
      await expect(readOnnx(external({ location }), "net.onnx", { external: never })).rejects.toThrow(
        /which is not within the model's folder/,
      );
    },
  );

  test.each([{ offset: "-4" }, { offset: "1e3" }, { length: "9" }, { length: "x" }])(
    "with a wrong place: %j",
    async (entry) => {
      const never = () => expect.fail("it was asked for");
      const bytes = external({ location: "w.bin", ...(entry as Record<string, string>) });
      await expect(readOnnx(bytes, "net.onnx", { external: never })).rejects.toThrow(EngineError);
    },
  );
});

describe("names", () => {
  test("any blob can be asked for; parts that the reader adds get names of their own", async () => {
    const model = source(
      [
        { type: "Conv", name: "conv", inputs: ["x", "w"], output: "a" },
        { type: "Relu", name: "conv", inputs: ["a"], output: "a.map" },
        { type: "MaxPool", inputs: ["a.map"], output: "y", attributes: { kernel_shape: [2] } },
      ],
      { inputs: [["x", ["N", 2, 6]]], initializers: [["w", randomTensor([3, 2, 3], uniform(3))]] },
    );
    const { graph, weights } = await read(model, { outputs: ["a", "y"] });
    expect(graph.outputs).toEqual(["a", "y"]);
    expect(new Set(graph.nodes.map(({ name }) => name)).size).toBe(graph.nodes.length);
    expect(new Set(graph.nodes.map(({ output }) => output)).size).toBe(graph.nodes.length);
    expect([...weights.keys()]).toEqual(["conv.row.weight"]);
    await expect(read(model, { outputs: ["b"] })).rejects.toThrow(/^blob "b": net\.onnx has none/);
  });

  test("a constant, and an input, may be what a model gives", async () => {
    const model = source([relu], { initializers: [["w", tensor([2], 1, 2)]] });
    const { graph, weights } = await read(model, { outputs: ["w", "x", "y"] });
    const x = randomTensor([1, 2, 6, 5], uniform(4));
    const results = await runReference(inferShapesForBatch(graph, 1), weights, new Map([["x", x]]));
    expect([...results.get("w")!.data]).toEqual([1, 2]);
    expect(results.get("x")!.data).toEqual(x.data);
  });
});

describe("refused by name, with the node", () => {
  const node = (type: string, attributes: NodeSource["attributes"] = {}, more: Partial<NodeSource> = {}): ModelSource =>
    source([{ type, inputs: ["x"], output: "y", attributes, ...more }], {
      initializers: [
        ["w", randomTensor([4, 2, 3, 3], uniform(5))],
        ["i", [0, 1]],
      ],
    });
  test.each<[string, ModelSource, RegExp]>([
    [
      "an op",
      node("Resize"),
      /node "Resize y" is Resize, an op that isn't supported; supported are Abs, Add, AveragePool, /,
    ],
    ["control flow", node("If"), /is If, an op that isn't supported/],
    ["quantized", node("QLinearConv"), /is QLinearConv, an op/],
    ["a sequence", node("SequenceConstruct"), /is SequenceConstruct, an op/],
    ["another domain", node("Relu", {}, { domain: "com.microsoft" }), /is com\.microsoft\.Relu, an op/],
    [
      "a newer operator set",
      { ...node("Relu"), opset: 27 },
      /it uses operator set 27; export it with one from 1 to 26/,
    ],
    ["operator set 0", { ...node("Relu"), opset: 0 }, /it names no operator set/],
    [
      "an attribute",
      node("Relu", { slope: 1 }),
      /node "Relu y" \(Relu\): its attribute slope isn't supported in operator set 17, where those that are: none/,
    ],
    [
      "an attribute to come",
      { ...node("MaxPool", { kernel_shape: [2, 2], ceil_mode: 1 }), opset: 8 },
      /its attribute ceil_mode isn't supported in operator set 8, where those that are: .*kernel_shape/,
    ],
    [
      "an attribute of the past",
      node("Relu", { consumed_inputs: [0] }),
      /its attribute consumed_inputs isn't supported/,
    ],
    ["an attribute of another kind", node("LeakyRelu", { alpha: 1 }), /its attribute alpha is of kind int, not float/],
    [
      "a mode",
      node("Pad", { mode: "wrap" }, { inputs: ["x", "i"] }),
      /its mode is wrap; supported are constant, edge, reflect/,
    ],
    [
      "auto_pad",
      node("Conv", { auto_pad: "SAME" }, { inputs: ["x", "w"] }),
      /its auto_pad is SAME; supported are NOTSET/,
    ],
    [
      "pads with auto_pad",
      node("Conv", { auto_pad: "VALID", pads: [1, 1, 1, 1] }, { inputs: ["x", "w"] }),
      /both pads and auto_pad/,
    ],
    ["a missing attribute", node("MaxPool"), /node "MaxPool y" \(MaxPool\): it lacks the attribute kernel_shape/],
    [
      "a wrong number of strides",
      node("MaxPool", { kernel_shape: [2, 2], strides: [1] }),
      /its strides has 1 numbers instead of 2/,
    ],
    ["groups that do not fit", node("Conv", { group: 3 }, { inputs: ["x", "w"] }), /3 groups do not divide 2 input/],
    [
      "weights that do not fit",
      node("Conv", { group: 2 }, { inputs: ["x", "w"] }),
      /its weight is 4×2×3×3 where 4×1×3×3 is needed/,
    ],
    [
      "weights that are computed",
      node("Conv", {}, { inputs: ["x", "x"] }),
      /its weights "x" is computed, and must be constant/,
    ],
    [
      "a mask that is used",
      source([
        { type: "Dropout", inputs: ["x"], output: "d", others: ["m"] },
        { type: "Relu", inputs: ["m"], output: "y" },
      ]),
      /its output "m" isn't supported; only its first is/,
    ],
    [
      "indices that are given",
      source([{ type: "MaxPool", inputs: ["x"], output: "d", others: ["y"], attributes: { kernel_shape: [2, 2] } }]),
      /\(MaxPool\): its output "y" isn't supported/,
    ],
    ["training", node("BatchNormalization", { training_mode: 1 }), /it is in training mode/],
    ["a cast of what is computed", node("Cast", { to: 7 }), /it casts what is computed to int64/],
    ["a cast to nothing known", node("Cast", { to: 16 }), /its type bfloat16 isn't supported/],
    ["an input too many", node("Relu", {}, { inputs: ["x", "x"] }), /its input 2 isn't known in operator set 17/],
    ["an input from nowhere", node("Relu", {}, { inputs: ["z"] }), /nothing before it makes its input "z"/],
    ["nothing that it gives", source([relu], { outputs: [] }), /it gives nothing; export it with an output/],
    ["a value made twice", source([relu, relu]), /"y" is made twice/],
    [
      "a value made from itself",
      source([{ type: "Relu", inputs: ["y"], output: "y" }]),
      /nothing before it makes its input "y"/,
    ],
    [
      "an output of integers",
      source([{ type: "Shape", inputs: ["x"], output: "y" }]),
      /its output "y" is of type int64, not float/,
    ],
    ["five axes", { ...node("GlobalAveragePool"), inputs: [["x", [1, 2, 3, 4, 5, 6, 7, 8, 9]]] }, /more than 8 axes/],
    [
      "a convolution in three dimensions",
      { ...node("MaxPool", { kernel_shape: [1, 1, 1] }), inputs: [["x", [1, 2, 3, 4, 5]]] },
      /its input has 5 axes; supported are feature maps of one or two/,
    ],
    [
      "a window larger than the map",
      node("MaxPool", { kernel_shape: [9, 9] }),
      /a 9×9 window .* finds no position on a 6×5/,
    ],
  ])("%s", async (_, model, message) => {
    await expect(read(model)).rejects.toThrow(message);
    await expect(read(model)).rejects.toThrow(expect.objectContaining({ code: "model" }) as EngineError);
    await expect(read(model)).rejects.toThrow(/^net\.onnx: [^\n]*; [^\n]*$/);
  });
});

test("what is refused of a node says its name and the shapes that it takes, as far as they are known", async () => {
  const concernOf = async (model: ModelSource, options?: OnnxOptions) => {
    const error: unknown = await read(model, options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EngineError);
    const { layer, shapes } = error as EngineError;
    return { layer, shapes };
  };
  const conv: NodeSource = { type: "Conv", name: "c1", inputs: ["r", "w"], output: "y", attributes: { group: 3 } };
  const flat: NodeSource = { type: "Reshape", inputs: ["x", "list"], output: "r" };
  const model = source([flat, conv], {
    initializers: [
      ["w", randomTensor([4, 2, 3, 3], uniform(5))],
      ["list", [-1, 2, 6, 1]],
    ],
  });
  expect(await concernOf(model)).toEqual({ layer: "c1", shapes: { r: ["5·N", 2, 6, 1], w: [4, 2, 3, 3] } });
  expect(await concernOf(model, { freeDimensionOverrides: { N: 3 } })).toEqual({
    layer: "c1",
    shapes: { r: [15, 2, 6, 1], w: [4, 2, 3, 3] },
  });
  const pool: NodeSource = {
    type: "MaxPool",
    name: "p",
    inputs: ["x"],
    output: "y",
    attributes: { kernel_shape: [9] },
  };
  expect(await concernOf(source([pool]))).toEqual({ layer: "p", shapes: { x: ["N", 2, 6, 5] } });
  expect(await concernOf(source([{ ...relu, inputs: ["z"] }]))).toEqual({ layer: "Relu y", shapes: {} });
});

describe("hostile files cost no more than a second", () => {
  const many = (count: number, write: (proto: BinaryWriter, index: number) => void): Uint8Array => {
    const proto = new BinaryWriter();
    for (let i = 0; i < count; i++) write(proto, i);
    return proto.finish();
  };
  const wrapped = (...fields: readonly [field: number, bytes: Uint8Array][]): Uint8Array =>
    many(fields.length, (proto, i) => proto.tag(fields[i][0], WireType.LengthDelimited).bytes(fields[i][1]));
  const graph = (bytes: Uint8Array) => wrapped([7, bytes], [8, many(1, (p) => p.tag(2, WireType.Varint).int64(17))]);
  const doubled = (count: number): ModelSource =>
    source(
      [
        ...Array.from({ length: count }, (_, i) => ({
          type: "Concat",
          inputs: [`c${i}`, `c${i}`],
          output: `c${i + 1}`,
          attributes: { axis: 0 },
        })),
        { type: "Add", inputs: ["x", `c${count}`], output: "y" },
      ],
      { initializers: [["c0", tensor([1000], ...new Array<number>(1000).fill(1))]] },
    );

  test.each<[string, () => Uint8Array, RegExp]>([
    [
      "millions of empty nodes",
      () => graph(many(2_000_000, (p) => p.tag(1, WireType.LengthDelimited).fork().join())),
      /more than 16384 nodes/,
    ],
    [
      "millions of attributes",
      () =>
        graph(
          wrapped([
            1,
            many(2_000_000, (p, i) =>
              p.tag(5, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(`a${i}`).join(),
            ),
          ]),
        ),
      /more than 64 attributes/,
    ],
    [
      "millions of extents",
      () => graph(wrapped([5, many(2_000_000, (p) => p.tag(1, WireType.Varint).int64(1))])),
      /more than 8 axes/,
    ],
    [
      "millions of inputs of a node",
      () => graph(wrapped([1, many(2_000_000, (p) => p.tag(1, WireType.LengthDelimited).string("x"))])),
      /more than 4096 inputs/,
    ],
    [
      "millions of unknown fields",
      () => many(3_000_000, (p) => p.tag(90, WireType.Varint).int32(1)),
      /more than 1000000 fields/,
    ],
    [
      "a tower of graphs",
      () => Array.from({ length: 3000 }).reduce<Uint8Array>((inner) => wrapped([6, inner]), new Uint8Array()),
      /no graph/,
    ],
    ["constants that double", () => encodeModel(doubled(60)), /take much more memory than the file/],
    ["a long name", () => encodeModel(source([{ ...relu, name: "n".repeat(1e6) }])), /a name has 1000000 characters/],
    [
      "a pad of millions",
      () =>
        encodeModel(
          source([{ type: "Pad", inputs: ["x", "p"], output: "y" }], {
            initializers: [["p", [0, 0, 2 ** 40, 2 ** 40, 0, 0, 0, 0]]],
          }),
        ),
      /its output would be/,
    ],
  ])("%s", async (_, make, message) => {
    const bytes = make();
    const before = process.memoryUsage().arrayBuffers;
    const start = performance.now();
    await expect(readOnnx(bytes, "net.onnx")).rejects.toThrow(message);
    // Threefold for a machine that is busy.
    expect(performance.now() - start).toBeLessThan(3000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * bytes.length + 2 ** 26);
  });

  test("thousands of nodes of one name", async () => {
    const count = 16_000;
    const nodes = Array.from({ length: count }, (_, i) => ({
      ...relu,
      name: "n",
      inputs: [i === 0 ? "x" : `v${i}`],
      output: i === count - 1 ? "y" : `v${i + 1}`,
    }));
    const bytes = encodeModel(source(nodes));
    const start = performance.now();
    const { graph } = await readOnnx(bytes, "net.onnx");
    expect(performance.now() - start).toBeLessThan(3000);
    expect(new Set(graph.nodes.map(({ name }) => name)).size).toBe(count);
  });
});
