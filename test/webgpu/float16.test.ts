/** Sessions in float16: half the memory, arrays in float32 outside, and results as far off as float16 makes them. */

import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { EngineError } from "../../src/errors.ts";
import { type Graph, inferShapesForBatch } from "../../src/graph/graph.ts";
import { elementCount, type Tensor } from "../../src/graph/tensor.ts";
import { openAdapter, openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { floatsToHalves } from "../../src/plan/half.ts";
import { weightBytes } from "../../src/plan/plan.ts";
import { float16Tolerances } from "../../src/verify/compare.ts";
import { bufferUsage, mapModeRead } from "../../src/webgpu/constants.ts";
import { Session, type SessionOptions } from "../../src/webgpu/session.ts";
import { randomGraphs, shapedOf } from "../plan/random_graphs.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { keepLedger } from "../support/gpu_ledger.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { batchOf, referenceProb, tiny, weightsFor } from "./tiny.ts";

/** Images of an odd number of elements, parts of which are joined: every second begins in the middle of a word. */
const odd: Graph = {
  name: "odd",
  inputs: [{ name: "data", shape: ["N", 3, 1, 5] }],
  nodes: [
    { name: "a", op: { type: "unary", function: "abs" }, inputs: ["data"], output: "a" },
    { name: "b", op: { type: "unary", function: "neg" }, inputs: ["data"], output: "b" },
    { name: "c", op: { type: "concat", axis: 1 }, inputs: ["a", "b"], output: "c" },
    { name: "d", op: { type: "unary", function: "tanh" }, inputs: ["c"], output: "d" },
  ],
  outputs: ["d", "b"],
};

describeGpu("a session in float16 on the GPU", () => {
  const gpu = useGpu();

  const create = async (graph: Graph, options: Partial<SessionOptions> = {}) => {
    const given = { device: gpu.device, kernels: kernelsOnDisk, precision: "f16", ...options } as const;
    const session = await Session.create(graph, weightsFor(graph, 1), given);
    onTestFinished(() => {
      session.dispose();
    });
    return session;
  };

  test.each([1, 3])(
    "a batch of %i: probabilities as the reference has them, the same run after run",
    async (images) => {
      const session = await create(tiny, { batch: images });
      const data = batchOf(images, images);
      const { prob } = await session.run({ data });
      const expected = await referenceProb(weightsFor(tiny, 1), data);
      const { maxAbs } = difference(prob.data, expected.data);
      expect(maxAbs).toBeLessThanOrEqual(float16Tolerances.probability);
      // Float32 would be nearer.
      expect(maxAbs).toBeGreaterThan(1e-6);
      await session.run({ data: batchOf(images, 99) });
      expect((await session.run({ data })).prob.data).toEqual(prob.data);
    },
  );

  test("takes half the memory of float32, weights too", async () => {
    const [half, single] = [await create(tiny), await create(tiny, { precision: "f32" })];
    const [planned, wide] = [await half.plan(), await single.plan()];
    expect([planned.precision, wide.precision]).toEqual(["f16", "f32"]);
    expect(planned.unplannedBytes).toBe(wide.unplannedBytes / 2);
    expect(planned.arenaBytes).toBeLessThan(0.6 * wide.arenaBytes);
    const lean = await create(tiny, { workspace: false });
    expect(weightBytes(await lean.plan())).toBe(
      weightBytes(await (await create(tiny, { precision: "f32", workspace: false })).plan()) / 2,
    );
  });

  test("reads any blob, at odd offsets too, among them inputs, and several times", async () => {
    const session = await create(odd);
    const shaped = inferShapesForBatch(odd, 3);
    const data = randomTensor([3, 3, 1, 5], uniform(5), 2);
    const expected = await runReference(shaped, new Map(), new Map([["data", data]]), { keep: "all" });
    const ids = ["c", "a", "b", "d", "data", "b"];
    const actual = await session.run({ data }, { outputs: ids });
    expect(Object.keys(actual)).toHaveLength(5);
    for (const [id, tensor] of Object.entries(actual)) {
      expect(tensor.shape).toEqual(expected.get(id)!.shape);
      expect(difference(tensor.data, expected.get(id)!.data).maxAbs, id).toBeLessThanOrEqual(2 ** -10);
    }
    const { values } = await session.plan(3);
    expect(values["b"].offset % 2, "b begins in the middle of a word").toBe(1);
  });

  test("bound to the caller's buffers gives what run gives, of blobs inside too", async () => {
    const session = await create(odd);
    const data = randomTensor([3, 3, 1, 5], uniform(6), 2);
    const ids = ["d", "b", "a"];
    const wanted = await session.run({ data }, { outputs: ids });
    const { copySrc, copyDst, mapRead } = bufferUsage;
    const buffer = (size: number, usage: number) => {
      const made = gpu.device.createBuffer({ size, usage });
      onTestFinished(() => made.destroy());
      return made;
    };
    const input = buffer(8 + data.data.byteLength, copySrc | copyDst);
    gpu.device.queue.writeBuffer(input, 8, data.data);
    const results = new Map(ids.map((id) => [id, buffer(4 + wanted[id].data.byteLength, copyDst | mapRead)]));
    const ranges = Object.fromEntries([...results].map(([id, made]) => [id, { buffer: made, offset: 4 }]));
    using binding = await session.bind({ data: { buffer: input, offset: 8 } }, ranges, { batch: 3 });
    using only = await session.bind({ data: { buffer: input, offset: 8 } }, { b: ranges["b"] }, { batch: 3 });
    const encoder = gpu.device.createCommandEncoder();
    only.encode(encoder);
    binding.encode(encoder);
    gpu.device.queue.submit([encoder.finish()]);
    for (const [id, made] of results) {
      await made.mapAsync(mapModeRead);
      expect(new Float32Array(made.getMappedRange().slice(4)), id).toEqual(wanted[id].data);
      made.unmap();
    }
  });

  test("takes buffers of float16 as they are, where it is told", async () => {
    const session = await create(odd);
    const data = randomTensor([3, 3, 1, 5], uniform(7), 2);
    const { d } = await session.run({ data });
    const { copySrc, copyDst, mapRead } = bufferUsage;
    const halves = floatsToHalves(data.data);
    const make = (size: number, usage: number) => {
      const made = gpu.device.createBuffer({ size, usage });
      onTestFinished(() => made.destroy());
      return made;
    };
    const input = make(halves.byteLength, copySrc | copyDst);
    gpu.device.queue.writeBuffer(input, 0, halves);
    const result = make(d.data.byteLength, copyDst | mapRead);
    const encoder = gpu.device.createCommandEncoder();
    await session.encode(encoder, { data: input }, { d: result }, { batch: 3, inputPrecision: "f16" });
    gpu.device.queue.submit([encoder.finish()]);
    await result.mapAsync(mapModeRead);
    expect(new Float32Array(result.getMappedRange().slice(0))).toEqual(d.data);
    const wide = await create(odd, { precision: "f32" });
    await expect(wide.bind({ data: input }, { d: result }, { batch: 3, inputPrecision: "f16" })).rejects.toMatchObject({
      code: "usage",
      message: `option inputPrecision: it is "f16", and the session's precision f32; give f32`,
    });
    const short = make(halves.byteLength - 4, copySrc);
    await expect(session.bind({ data: short }, { d: result }, { batch: 3, inputPrecision: "f16" })).rejects.toThrow(
      /it has 88 bytes, and 3×3×1×5 takes 92 bytes/,
    );
  });

  test("a batch that is split has the results of each of its images", async () => {
    const limits = { ...gpu.limits, maxStorageBufferBindingSize: 4 * 8 * 8 * 8 };
    const [split, whole] = [await create(tiny, { limits }), await create(tiny)];
    const data = batchOf(5, 3);
    expect((await split.plan(5)).batch).toBeLessThan(5);
    const { maxAbs } = difference((await split.run({ data })).prob.data, (await whole.run({ data })).prob.data);
    expect(maxAbs).toBeLessThanOrEqual(2 ** -10);
  });

  test("times the steps, and those that convert", async ({ skip }) => {
    skip(!gpu.device.features.has("timestamp-query"), "the GPU device has no timestamp queries");
    const session = await create(tiny);
    const times = await session.time({ data: batchOf(2, 1) });
    const names = (await session.plan(2)).steps.map(({ name }) => name);
    expect(times.map(({ step }) => step.name)).toEqual(["data (f32 to f16)", ...names, "prob (f16 to f32)"]);
    expect(times[0].step.bytes).toBe(2 * 3 * 8 * 8 * 6);
  });

  test("leaves no buffer behind, whatever was read and bound", async () => {
    let live = 0;
    const device = new Proxy(gpu.device, {
      get(target, name) {
        if (name === "createBuffer") {
          return (descriptor: GPUBufferDescriptor) => {
            const made = target.createBuffer(descriptor);
            const destroy = made.destroy.bind(made);
            live++;
            made.destroy = () => {
              live--;
              destroy();
            };
            return made;
          };
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const session = await create(odd, { device });
    await session.run({ data: new Float32Array(15) });
    const before = live;
    const bytes = session.bytes;
    for (const outputs of [["a"], ["a", "c"], ["a"]]) await session.run({ data: new Float32Array(15) }, { outputs });
    expect({ live, bytes: session.bytes }).toEqual({ live: before, bytes });
    session.dispose();
    expect(live).toBe(0);
  });

  test("leaves none behind where blobs can't be given out, and carries on", async () => {
    const { device } = await openGpu();
    onTestFinished(() => device.destroy());
    const ledger = keepLedger(device);
    const session = await create(odd, { device });
    const data = randomTensor([1, 3, 1, 5], uniform(8), 2);
    const wanted = await session.run({ data }, { outputs: ["a", "c"] });
    const { live, liveBytes } = ledger;
    const createBuffer = device.createBuffer.bind(device);
    let refused = 0;
    device.createBuffer = (descriptor) => {
      if (descriptor.label !== "c") return createBuffer(descriptor);
      refused++;
      // The device finds fault with it, as it would where memory is short.
      return createBuffer({ ...descriptor, size: 2 ** 50 });
    };
    for (let time = 1; time <= 3; time++) {
      await expect(session.run({ data }, { outputs: ["a", "c"] })).rejects.toBeInstanceOf(EngineError);
      expect({ refused, live: ledger.live, liveBytes: ledger.liveBytes }).toEqual({ refused: time, live, liveBytes });
    }
    device.createBuffer = createBuffer;
    expect(await session.run({ data }, { outputs: ["a", "c"] })).toEqual(wanted);
    session.dispose();
    expect(ledger.live).toBe(0);
  });

  test("random graphs: every blob, twice over with other inputs", async () => {
    await fc.assert(
      fc.asyncProperty(randomGraphs(8), fc.nat(), fc.boolean(), async (random, seed, wide) => {
        const shaped = shapedOf(random);
        const weights = weightsFor(random.graph, seed);
        const limits = wide ? { ...gpu.limits, subgroup: { min: 32, max: 32 } } : gpu.limits;
        const options = { device: gpu.device, kernels: kernelsOnDisk, batch: random.batch, limits } as const;
        using session = await Session.create(random.graph, weights, { ...options, precision: "f16" });
        const { values } = await session.plan(random.batch);
        const next = uniform(seed);
        for (let run = 0; run < 2; run++) {
          const inputs = new Map(
            shaped.graph.inputs.map(({ name }): [string, Tensor] => [
              name,
              randomTensor(shaped.shapes.get(name)!, next),
            ]),
          );
          const expected = await runReference(shaped, weights, inputs, { keep: "all" });
          const actual = await session.run(Object.fromEntries(inputs), { outputs: Object.keys(values) });
          for (const [id, { data }] of Object.entries(actual)) {
            expect(difference(data, expected.get(id)!.data).maxRel, `${id}, run ${run}`).toBeLessThanOrEqual(2e-2);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  describe("refuses", () => {
    const refusal = async (work: Promise<unknown>) => {
      const error: unknown = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(EngineError);
      return error as EngineError;
    };

    test("a device without it", async () => {
      const device = await (await openAdapter()).requestDevice();
      onTestFinished(() => {
        device.destroy();
      });
      const error = await refusal(create(tiny, { device }));
      expect(error.code).toBe("adapter");
      expect(error.message).toMatch(/^precision f16: the adapter has no float16 .*shader-f16.*; compute in f32/);
    });

    test("weights that it can't hold", async () => {
      const weights = new Map(weightsFor(tiny, 1));
      const { shape } = weights.get("right.weight")!;
      weights.set("right.weight", { shape, data: new Float32Array(elementCount(shape)).fill(-1e6, 3, 4) });
      const given = { device: gpu.device, kernels: kernelsOnDisk, workspace: false } as const;
      const error = await refusal(Session.create(tiny, weights, { ...given, precision: "f16" }));
      expect(error.code).toBe("weights");
      expect(error.message).toBe("right.weight: its value -1000000 is beyond float16's largest, 65504; compute in f32");
      (await Session.create(tiny, weights, given)).dispose();
    });

    test("what is no precision", async () => {
      const error = await refusal(create(tiny, { precision: "f64" as "f16" }));
      expect(error.code).toBe("usage");
      expect(error.message).toBe('option precision: it is "f64"; give f32 or f16');
    });
  });
});
