import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { type Graph, inferShapes, inferShapesForBatch, type Node, subgraphFor } from "../../src/graph/graph.ts";

function relu(name: string, input: string, output: string): Node {
  return { name, op: { type: "relu" }, inputs: [input], output };
}

const chain: Graph = {
  name: "chain",
  inputs: [{ name: "x", shape: ["N", 3, 4, 5] }],
  nodes: [relu("first", "x", "a"), relu("second", "a", "b"), relu("aside", "a", "c")],
  outputs: ["b"],
};

describe("a graph that is not well formed", () => {
  test.each([
    ["an unknown input", { nodes: [relu("first", "z", "a")] }, 'first: nothing before it makes its input "z"'],
    [
      "an input made only later",
      { nodes: [relu("first", "b", "a"), relu("second", "x", "b")] },
      'first: nothing before it makes its input "b"',
    ],
    ["a value made twice", { nodes: [relu("first", "x", "a"), relu("second", "x", "a")] }, 'second: "a" is made twice'],
    ["a value named as the input", { nodes: [relu("first", "x", "x")] }, 'first: "x" is made twice'],
    ["an output that nothing makes", { outputs: ["y"] }, 'chain: nothing makes its output "y"'],
  ])("%s", (_, part, problem) => {
    expect(() => inferShapesForBatch({ ...chain, ...part }, 1)).toThrow(
      expect.objectContaining({ code: "graph", message: `${problem}; correct the graph` }),
    );
  });

  test("a layer whose attributes do not fit its input names itself", () => {
    const node: Node = { name: "fc", op: { type: "softmax", axis: 4 }, inputs: ["x"], output: "b" };
    expect(() => inferShapesForBatch({ ...chain, nodes: [node] }, 1)).toThrow(/^fc: axis 4 is not among its input's 4/);
  });
});

describe("shapes", () => {
  test("follow the batch", () => {
    const shaped = inferShapesForBatch(chain, 7);
    expect([...shaped.shapes]).toEqual(["x", "a", "b", "c"].map((id) => [id, [7, 3, 4, 5]]));
    expect(shaped.nodes[0]).toMatchObject({ inputShapes: [[7, 3, 4, 5]], outputShape: [7, 3, 4, 5], macs: 0 });
  });

  test.each([0, -1, 1.5, NaN])("a batch of %d is refused", (batch) => {
    expect(() => inferShapesForBatch(chain, batch)).toThrow(
      expect.objectContaining({
        code: "usage",
        message: `input "x": its extent N is ${batch}; give a whole number from 1`,
      }),
    );
  });

  test.each([
    ["missing", undefined, /its shape is missing; give N×3×4×5/],
    ["of another rank", [1, 3, 4], /its shape is 1×3×4; give N×3×4×5/],
    ["of another extent", [1, 3, 4, 6], /its shape is 1×3×4×6; give N×3×4×5/],
    ["empty", [0, 3, 4, 5], /its shape is 0×3×4×5; give N×3×4×5/],
  ])("an input that is %s is refused", (_, shape, message) => {
    const inputs = new Map(shape === undefined ? [] : [["x", shape]]);
    expect(() => inferShapes(chain, inputs)).toThrow(expect.objectContaining({ code: "array" }));
    expect(() => inferShapes(chain, inputs)).toThrow(message);
  });
});

describe("the part of a graph that some values need", () => {
  test("leaves out what leads to none of them, in the same order", () => {
    const part = subgraphFor(chain, ["c"]);
    expect(part.nodes.map(({ name }) => name)).toEqual(["first", "aside"]);
    expect(part.outputs).toEqual(["c"]);
    expect(part.inputs).toEqual(chain.inputs);
  });

  test("takes an input for an output", () => {
    expect(subgraphFor(chain, ["x"]).nodes).toEqual([]);
  });

  test("of GoogLeNet with all heads, for prob, is GoogLeNet with the main head", () => {
    const part = subgraphFor(googLeNet({ heads: "all" }), ["prob"]);
    expect(part.nodes).toEqual(googLeNet().nodes);
  });

  test("refuses a value that there is not", () => {
    expect(() => subgraphFor(chain, ["b", "y"])).toThrow(
      expect.objectContaining({ code: "usage", message: 'blob "y": chain has none; name another' }),
    );
  });
});
