/** The network's figures, by computation from its shapes, and the sizes it can be built for. */

import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch, type ShapedGraph } from "../../src/graph/graph.ts";
import { elementCount } from "../../src/graph/tensor.ts";

const main = inferShapesForBatch(googLeNet(), 1);
const all = inferShapesForBatch(googLeNet({ heads: "all" }), 1);

function parameterCount({ parameters }: ShapedGraph, prefix = ""): number {
  return parameters
    .filter(({ name }) => name.startsWith(prefix))
    .reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

describe("the figures of the network", () => {
  test("57 convolutions, one fully connected layer, 142 nodes", () => {
    expect(main.nodes.filter(({ op }) => op.type === "conv")).toHaveLength(57);
    expect(main.nodes.filter(({ op }) => op.type === "fully_connected")).toHaveLength(1);
    expect(main.nodes).toHaveLength(142);
  });

  test("6,998,552 parameters", () => {
    expect(parameterCount(main)).toBe(6_998_552);
  });

  test("1,582,671,872 multiply-accumulates an image", () => {
    expect(main.macs).toBe(1_582_671_872);
    expect(inferShapesForBatch(googLeNet(), 8).macs).toBe(8 * 1_582_671_872);
  });

  test("3,188,840 and 3,190,888 parameters in the auxiliary heads", () => {
    expect(parameterCount(all, "loss1/")).toBe(3_188_840);
    expect(parameterCount(all, "loss2/")).toBe(3_190_888);
    expect(parameterCount(all)).toBe(6_998_552 + 3_188_840 + 3_190_888);
  });

  test("26.7 MB of activations, a blob for every layer", () => {
    const layers = main.nodes.filter(({ output }) => !output.endsWith(".linear"));
    const bytes = layers.reduce((sum, { outputShape }) => sum + 4 * elementCount(outputShape), 0);
    expect(bytes / 1e6).toBeCloseTo(26.7, 1);
  });
});

/** Table 1 of the paper: type, output size, and the output channels of an Inception block's branches. */
const table1: readonly [blob: string, shape: readonly number[], branches?: Readonly<Record<string, number>>][] = [
  ["conv1/7x7_s2", [64, 112, 112]],
  ["pool1/3x3_s2", [64, 56, 56]],
  ["pool1/norm1", [64, 56, 56]],
  ["conv2/3x3_reduce", [64, 56, 56]],
  ["conv2/3x3", [192, 56, 56]],
  ["pool2/3x3_s2", [192, 28, 28]],
  ["inception_3a/output", [256, 28, 28], branches(64, 96, 128, 16, 32, 32)],
  ["inception_3b/output", [480, 28, 28], branches(128, 128, 192, 32, 96, 64)],
  ["pool3/3x3_s2", [480, 14, 14]],
  ["inception_4a/output", [512, 14, 14], branches(192, 96, 208, 16, 48, 64)],
  ["inception_4b/output", [512, 14, 14], branches(160, 112, 224, 24, 64, 64)],
  ["inception_4c/output", [512, 14, 14], branches(128, 128, 256, 24, 64, 64)],
  ["inception_4d/output", [528, 14, 14], branches(112, 144, 288, 32, 64, 64)],
  ["inception_4e/output", [832, 14, 14], branches(256, 160, 320, 32, 128, 128)],
  ["pool4/3x3_s2", [832, 7, 7]],
  ["inception_5a/output", [832, 7, 7], branches(256, 160, 320, 32, 128, 128)],
  ["inception_5b/output", [1024, 7, 7], branches(384, 192, 384, 48, 128, 128)],
  ["pool5/7x7_s1", [1024, 1, 1]],
  ["loss3/classifier", [1000]],
  ["prob", [1000]],
];

function branches(...channels: readonly number[]): Record<string, number> {
  const names = ["1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj"];
  return Object.fromEntries(names.map((name, index) => [name, channels[index]]));
}

describe("the paper's Table 1", () => {
  test.each(table1)("%s", (blob, shape, channels = {}) => {
    expect(main.shapes.get(blob)).toEqual([1, ...shape]);
    for (const [branch, count] of Object.entries(channels)) {
      const name = blob.replace("output", branch);
      expect(main.shapes.get(name), name).toEqual([1, count, ...shape.slice(1)]);
    }
  });

  test("Inception's concat takes the branches in Caffe's order", () => {
    expect(main.nodes.find(({ name }) => name === "inception_4c/output")!.inputs).toEqual([
      "inception_4c/1x1",
      "inception_4c/3x3",
      "inception_4c/5x5",
      "inception_4c/pool_proj",
    ]);
  });

  test("auxiliary heads hang off 4a and 4d", () => {
    expect(all.nodes.find(({ name }) => name === "loss1/ave_pool")!.inputs).toEqual(["inception_4a/output"]);
    expect(all.nodes.find(({ name }) => name === "loss2/ave_pool")!.inputs).toEqual(["inception_4d/output"]);
    expect(all.shapes.get("loss1/ave_pool")).toEqual([1, 512, 4, 4]);
    expect(all.shapes.get("loss2/ave_pool")).toEqual([1, 528, 4, 4]);
    expect(all.shapes.get("loss2/fc")).toEqual([1, 1024]);
    expect(all.graph.outputs).toEqual(["prob", "loss1/prob", "loss2/prob"]);
  });
});

describe("input sizes", () => {
  test.each([
    [224, 224, 7, 7],
    [31, 31, 1, 1],
    [31, 224, 1, 7],
    [225, 300, 7, 9],
    [256, 256, 8, 8],
    [97, 63, 3, 2],
  ])("%i × %i gives last maps of %i × %i", (height, width, lastHeight, lastWidth) => {
    const { shapes } = inferShapesForBatch(googLeNet({ height, width }), 3);
    expect(shapes.get("inception_5b/output")).toEqual([3, 1024, lastHeight, lastWidth]);
    expect(shapes.get("pool5/7x7_s1")).toEqual([3, 1024, 1, 1]);
    expect(shapes.get("prob")).toEqual([3, 1000]);
  });

  test("every size from 31 up has an output", () => {
    for (let size = 31; size <= 340; size++) {
      const { shapes } = inferShapesForBatch(googLeNet({ height: size, width: 31 + ((7 * size) % 200) }), 1);
      expect(shapes.get("prob"), `${size}`).toEqual([1, 1000]);
    }
  });

  test("the parameters are the same at every size", () => {
    const { parameters } = inferShapesForBatch(googLeNet({ height: 97, width: 63 }), 2);
    expect(parameters).toEqual(main.parameters);
  });

  test.each([
    [1, 1],
    [30, 30],
    [224, 30],
    [5, 224],
  ])("%i × %i is too small, in a line that says so", (height, width) => {
    expect(() => googLeNet({ height, width })).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.stringMatching(
          new RegExp(`^input size ${height}×${width}: too small for GoogLeNet \\(.*\\); use a larger input$`),
        ) as string,
      }),
    );
  });

  test.each([0, -1, 1.5, NaN, Infinity, 2 ** 60])("%d pixels are no size", (height) => {
    expect(() => googLeNet({ height })).toThrow(expect.objectContaining({ code: "usage" }));
  });

  test("the auxiliary heads take only sizes that give them 4 × 4", () => {
    expect(() => googLeNet({ height: 320, width: 320, heads: "all" })).toThrow(/auxiliary heads were trained on 4×4/);
    expect(() => googLeNet({ height: 228, width: 220, heads: "all" })).not.toThrow();
  });
});
