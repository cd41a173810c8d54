/** Scales that become part of the layer before them. */

import { expect, test, vi } from "vitest";
import { foldScales } from "../../src/graph/fold.ts";
import type { Node } from "../../src/graph/graph.ts";
import { randomTensor, uniform } from "../support/random.ts";

test("a chain of scales multiplies the weights before it once", () => {
  const random = uniform(3);
  const weight = randomTensor([4, 5], random);
  const count = 300;
  const nodes: Node[] = [
    { name: "fc", op: { type: "fully_connected", outFeatures: 4, bias: false }, inputs: ["x"], output: "v0" },
  ];
  const weights = new Map([["fc.weight", weight]]);
  const factors = [1, 1, 1, 1];
  const shifts = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const op = { type: "scale", axis: 1, axes: 1, bias: true } as const;
    nodes.push({ name: `scale${i}`, op, inputs: [`v${i}`], output: `v${i + 1}` });
    const factor = { shape: [4], data: Float32Array.from({ length: 4 }, () => (random() < 0.5 ? 0.99 : 1.01)) };
    const shift = randomTensor([4], random);
    weights.set(`scale${i}.weight`, factor).set(`scale${i}.bias`, shift);
    for (let channel = 0; channel < 4; channel++) {
      factors[channel] *= factor.data[channel];
      shifts[channel] = factor.data[channel] * shifts[channel] + shift.data[channel];
    }
  }
  const map = vi.spyOn(Float32Array.prototype, "map");
  const graph = { name: "net", inputs: [{ name: "x", shape: ["N" as const, 5] }], nodes, outputs: [`v${count}`] };
  const folded = foldScales({ graph, weights });
  const maps = map.mock.calls.length;
  map.mockRestore();
  expect(maps).toBeLessThanOrEqual(1);
  expect(folded.graph.nodes.map(({ name, output }) => [name, output])).toEqual([["fc", `v${count}`]]);
  expect([...folded.weights.keys()]).toEqual(["fc.weight", "fc.bias"]);
  const { data } = folded.weights.get("fc.weight")!;
  expect(data).toEqual(weight.data.map((value, index) => value * factors[Math.floor(index / 5)]));
  expect(folded.weights.get("fc.bias")!.data).toEqual(Float32Array.from(shifts));
});
