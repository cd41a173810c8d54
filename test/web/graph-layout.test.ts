/** Where the layers lie in the drawing, and where the arrow keys lead. */

import { describe, expect, test } from "vitest";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { type Direction, layoutGraph, neighbour } from "../../src/web/graph-layout.ts";

const graph = googLeNet({ heads: "all" });
const layout = layoutGraph(inferShapesForBatch(graph, 1));
const boxes = [...layout.boxes.values()];
const box = (id: string) => layout.boxes.get(id)!;

describe("the drawing of GoogLeNet", () => {
  test("has a box for the input and every layer, ReLUs with the layers that they follow", () => {
    const relus = graph.nodes.filter(({ op }) => op.type === "relu");
    expect(boxes).toHaveLength(1 + graph.nodes.length - relus.length);
    expect(boxes.filter(({ linear }) => linear !== undefined)).toHaveLength(relus.length);
    expect(box("inception_4e/5x5")).toMatchObject({
      kind: "convolution",
      label: "5×5",
      description: "5×5 convolution and ReLU",
      linear: "inception_4e/5x5.linear",
      inputs: ["inception_4e/5x5_reduce"],
      shape: [128, 14, 14],
    });
  });

  test("puts no two boxes on one another, and each to the right of what it takes", () => {
    for (const [index, a] of boxes.entries()) {
      for (const b of boxes.slice(index + 1)) {
        expect(
          Math.max(Math.abs(a.column - b.column), Math.abs(a.lane - b.lane)),
          `${a.id}, ${b.id}`,
        ).toBeGreaterThanOrEqual(1);
      }
      for (const id of a.inputs) expect(box(id).column, `${id} to ${a.id}`).toBeLessThan(a.column);
    }
    expect(layout.columns).toBe(box("prob").column + 1);
  });

  test("has the trunk in the middle, four branches a block, and both heads below", () => {
    const trunk = ["data", "conv1/7x7_s2", "inception_3a/output", "pool4/3x3_s2", "inception_5b/output", "prob"];
    expect(trunk.map((id) => box(id).lane)).toEqual(trunk.map(() => 0));
    const branches = ["1x1", "3x3", "5x5", "pool_proj"].map((branch) => box(`inception_4c/${branch}`).lane);
    expect(branches).toEqual([-1.5, -0.5, 0.5, 1.5]);
    expect(box("inception_4c/3x3_reduce").lane).toBe(-0.5);
    // The branch of one layer lies between the columns of those of two.
    const [reduce, conv] = ["3x3_reduce", "3x3"].map((branch) => box(`inception_4c/${branch}`).column);
    expect(box("inception_4c/1x1").column).toBe((reduce + conv) / 2);
    for (const each of boxes.filter(({ id }) => /^loss[12]\//.test(id))) expect(each.lane).toBe(2.5);
    expect(layout).toMatchObject({ top: -1.5, bottom: 2.5 });
  });

  test("groups nine blocks and two heads, whose last layers stand for them", () => {
    expect(layout.groups.map(({ label, output }) => [label, output])).toEqual([
      ...["3a", "3b", "4a"].map((name) => [name, `inception_${name}/output`]),
      ["auxiliary head 1", "loss1/prob"],
      ...["4b", "4c", "4d"].map((name) => [name, `inception_${name}/output`]),
      ["auxiliary head 2", "loss2/prob"],
      ...["4e", "5a", "5b"].map((name) => [name, `inception_${name}/output`]),
    ]);
    for (const { name, left, right, top, bottom } of layout.groups) {
      const members = boxes.filter(({ id }) => id.startsWith(`${name}/`));
      for (const { column, lane } of members) {
        expect(column >= left && column <= right && lane >= top && lane <= bottom, name).toBe(true);
      }
    }
  });

  test("is walked whole by the arrow keys", () => {
    const reached = new Set(["data"]);
    for (const id of reached) {
      for (const direction of ["left", "right", "up", "down"] satisfies Direction[]) {
        const next = neighbour(layout, id, direction);
        if (next !== undefined) reached.add(next);
      }
    }
    expect(reached.size).toBe(boxes.length);
    expect(neighbour(layout, "data", "left")).toBeUndefined();
    expect(neighbour(layout, "prob", "right")).toBeUndefined();
    expect(neighbour(layout, "inception_3a/5x5_reduce", "right")).toBe("inception_3a/5x5");
    expect(neighbour(layout, "inception_3a/5x5", "down")).toBe("inception_3a/pool_proj");
    expect(neighbour(layout, "inception_3a/5x5", "left")).toBe("inception_3a/5x5_reduce");
  });
});

test("a graph without branches is a row, and one of parallel layers two lanes", () => {
  const relu = (name: string, input: string) => ({
    name,
    op: { type: "relu" } as const,
    inputs: [input],
    output: name,
  });
  const plain = {
    name: "fork",
    inputs: [{ name: "x", shape: ["N", 2, 3, 3] }],
    nodes: [
      relu("a", "x"),
      relu("b", "x"),
      { name: "y", op: { type: "concat", axis: 1 } as const, inputs: ["a", "b"], output: "y" },
    ],
    outputs: ["y"],
  };
  const { boxes: drawn, groups } = layoutGraph(inferShapesForBatch(plain, 1));
  expect([...drawn.values()].map(({ id, column, lane }) => [id, column, lane])).toEqual([
    ["x", 0, 0],
    ["a", 1, -0.5],
    ["b", 1, 0.5],
    ["y", 2, 0],
  ]);
  expect(groups).toEqual([]);
});
