import { describe, expect, it } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { EngineError } from "../../src/errors.ts";
import { beforeRelu, googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { fingerprint } from "../../src/weights/recognise.ts";
import { isSeedSource, MAX_SEED, parseSeed, seededWeights } from "../../src/weights/seed.ts";

const shaped = inferShapesForBatch(googLeNet({ heads: "all" }), 1);

/** A picture of a bright disc with a dark hand before a shaded ground, as the network gets it: B, G, R minus means. */
function picture(): Tensor {
  const size = 224;
  const data = new Float32Array(3 * size * size);
  for (const [plane, mean] of [104, 117, 123].entries()) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const ground = 40 + ((x + y * (plane + 1)) % 448) / 3;
        const fromCentre = Math.hypot(x - 112, y - 100);
        const hand = Math.abs(x - 112) < 5 && y < 105 && y > 40;
        const value = fromCentre < 80 ? (hand ? 20 : 240 - plane * 15) : ground;
        data[(plane * size + y) * size + x] = Math.min(255, Math.round(value)) - mean;
      }
    }
  }
  return { shape: [1, 3, size, size], data };
}

describe("seededWeights", () => {
  it.each([1, 2, 3])("make a lively network (seed %i)", { timeout: 120_000 }, async (seed) => {
    const relus = shaped.nodes.filter(({ op }) => op.type === "relu").map(({ name }) => name);
    expect(relus.length).toBe(57 + 4);
    const sums = shaped.nodes.filter(({ op }) => op.type === "relu").map(({ inputs }) => inputs[0]);
    expect(sums).toContain(beforeRelu("conv1/7x7_s2"));
    const weights = seededWeights(shaped.parameters, seed);
    const values = await runReference(shaped, weights, new Map([["data", picture()]]), { keep: sums });
    for (const id of sums) {
      const { data } = values.get(id)!;
      const passed = data.reduce((count, value) => count + (value > 0 ? 1 : 0), 0) / data.length;
      expect(passed, id).toBeGreaterThan(0.2);
      expect(passed, id).toBeLessThan(0.8);
    }
    for (const head of ["prob", "loss1/prob", "loss2/prob"]) {
      const top = Math.max(...values.get(head)!.data);
      expect(top, head).toBeGreaterThan(0.02);
      expect(top, head).toBeLessThan(0.9);
    }
  });

  it("are the same everywhere and for ever", async () => {
    const main = inferShapesForBatch(googLeNet(), 1).parameters;
    expect(await fingerprint(seededWeights(main, 1))).toBe(
      "f06d6b11ee000cfd9cbbaa7de4a7e9bad9ca1ed4aa8ad229e64231e7357fb57b",
    );
    const [first] = seededWeights([{ name: "conv1/7x7_s2.weight", shape: [64, 3, 7, 7] }], 1).values();
    expect([...first.data.subarray(0, 3)]).toEqual([0.14335529506206512, -0.12555141746997833, -0.18160073459148407]);
  });

  it("do not depend on which parameters are asked for", () => {
    const one = { name: "a.weight", shape: [2, 3] };
    const alone = seededWeights([one], 7).get("a.weight");
    expect(seededWeights([{ name: "b.weight", shape: [4, 4] }, one], 7).get("a.weight")).toEqual(alone);
  });

  it("differ from seed to seed and from name to name", async () => {
    const fingerprints = await Promise.all(
      [0, 1, 2, MAX_SEED].flatMap((seed) =>
        ["a.weight", "b.weight"].map((name) => {
          const tensor = seededWeights([{ name, shape: [8, 8] }], seed).get(name)!;
          return fingerprint(new Map([["same", tensor]]));
        }),
      ),
    );
    expect(new Set(fingerprints).size).toBe(8);
  });

  it("spread evenly, with He's variance", () => {
    const shape = [512, 512];
    const { data } = seededWeights([{ name: "wide.weight", shape }], 1).get("wide.weight")!;
    const bound = Math.sqrt(6 / 512);
    const tenths = new Array<number>(10).fill(0);
    let squares = 0;
    let largest = 0;
    for (const value of data) {
      largest = Math.max(largest, Math.abs(value));
      tenths[Math.min(9, Math.floor(((value / bound + 1) / 2) * 10))]++;
      squares += value * value;
    }
    expect(largest).toBeLessThanOrEqual(Math.fround(bound));
    for (const count of tenths) expect(Math.abs(count / data.length - 0.1)).toBeLessThan(0.003);
    expect(squares / data.length).toBeCloseTo(2 / 512, 4);
  });

  it.each([-1, 0.5, MAX_SEED + 1, NaN])("refuse the seed %d", (seed) => {
    expect(() => seededWeights([], seed)).toThrow(EngineError);
  });
});

describe("parseSeed", () => {
  it.each([
    ["seed:0", 0],
    ["seed:1", 1],
    ["seed:4294967295", MAX_SEED],
  ])("reads %s", (source, seed) => {
    expect(isSeedSource(source)).toBe(true);
    expect(parseSeed(source)).toBe(seed);
  });

  it.each([
    "seed:",
    "seed:-1",
    "seed:1.5",
    "seed:1e3",
    "seed:0x1",
    "seed: 1",
    "seed:01",
    "seed:4294967296",
    "seed:ab",
    "1",
  ])("refuses %j", (source) => {
    expect(() => parseSeed(source)).toThrow(/is not a seed; give seed:N/);
  });
});
