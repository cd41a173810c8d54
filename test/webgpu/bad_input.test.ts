/**
 * What callers whose types nobody checked may give: for each call a table of wrong arguments, each refused by an error
 * that names it, before the device is given anything, and with the session as good as before.
 */

import { describe, expect, onTestFinished, test, vi } from "vitest";
import { GpuClassifier, type GpuClassifierOptions } from "../../src/classify/gpu.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { Model } from "../../src/graph/model.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import type { Inputs } from "../../src/webgpu/batches.ts";
import type { Buffers } from "../../src/webgpu/binding.ts";
import { bufferUsage } from "../../src/webgpu/constants.ts";
import { limitsOf, openDevice } from "../../src/webgpu/device.ts";
import { type RunOptions, Session, type SessionOptions, type StreamOptions } from "../../src/webgpu/session.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { batchOf, referenceProb, tiny, weightsFor } from "./tiny.ts";

const weights = weightsFor(tiny, 1);
const good = batchOf(2, 1);

/** An array whose memory another thread has by now. */
function transferred(length: number): Float32Array {
  const data = new Float32Array(length);
  structuredClone(data, { transfer: [data.buffer] });
  return data;
}

type Case = [name: string, given: unknown, code: string, message: RegExp];

describeGpu("the GPU is given nothing wrong", () => {
  const gpu = useGpu();
  const create = async (options: object = {}, model: Model = { graph: tiny, weights }) => {
    const session = await Session.create(model, { device: gpu.device, kernels: kernelsOnDisk, ...options });
    onTestFinished(() => {
      session.dispose();
    });
    return session;
  };
  /** Refused so, with nothing computed and no input uploaded. What compiling uploads is right whatever is asked. */
  const expectRefused = async (call: () => unknown, code: string, message: RegExp) => {
    const { queue } = gpu.device;
    const [submit, write] = [vi.spyOn(queue, "submit"), vi.spyOn(queue, "writeBuffer")];
    try {
      await expect((async () => await call())()).rejects.toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
      );
      expect(submit).not.toHaveBeenCalled();
      expect(write.mock.calls.map(([{ label }]) => label)).not.toContain("activations");
    } finally {
      submit.mockRestore();
      write.mockRestore();
    }
  };
  const expectRight = async (session: Session) => {
    expect((await session.run({ data: good })).prob).toBeAllclose(await referenceProb(weights, good), {
      absolute: 1e-6,
    });
  };

  describe("by run, as inputs", () => {
    const cases: Case[] = [
      ["nothing", undefined, "array", /^inputs: they are undefined; give an object of arrays by input name$/],
      ["a number", 7, "array", /^inputs: they are a number/],
      ["an array itself", good.data, "array", /^input "data": it is missing/],
      ["no array", { data: null }, "array", /^input "data": it is null; give N×3×8×8 as/],
      ["numbers", { data: [1, 2, 3] }, "array", /^input "data": it is an Array; give N×3×8×8 as/],
      ["another type", { data: new Float64Array(192) }, "array", /^input "data": it is a Float64Array; give/],
      [
        "another type with a shape",
        { data: { shape: [1, 3, 8, 8], data: new Int32Array(192) } },
        "array",
        /^input "data": its data is an Int32Array; give/,
      ],
      ["no shape", { data: { data: good.data } }, "array", /^input "data": its shape is undefined; give/],
      ["a shape of text", { data: { ...good, shape: "2x3x8x8" } }, "array", /^input "data": its shape is a string/],
      ["a negative extent", { data: { ...good, shape: [-2, 3, 8, 8] } }, "array", /^input "data": its shape is -2×3/],
      ["a NaN extent", { data: { ...good, shape: [NaN, 3, 8, 8] } }, "array", /^input "data": its shape is NaN×3/],
      ["too few elements", { data: new Float32Array(191) }, "array", /^input "data": its shape is 0×3×8×8; give/],
      ["a part of an image", { data: new Float32Array(193) }, "array", /^input "data": it has 193 elements for shape/],
      ["an empty array", { data: new Float32Array() }, "array", /^input "data": it has no elements: it is empty, or/],
      ["a transferred array", { data: transferred(192) }, "array", /no elements: it is empty, or was transferred away/],
      [
        "a transferred array with a shape",
        { data: { shape: [1, 3, 8, 8], data: transferred(192) } },
        "array",
        /^input "data": it has no elements: it is empty, or was transferred away; give N×3×8×8$/,
      ],
      ["one too many", { data: good, other: good }, "usage", /^input "other": tiny has none; give data$/],
      ["an inherited one", Object.create({ data: good }), "array", /^input "data": it is missing/],
    ];
    test.each(cases)("%s", async (_, inputs, code, message) => {
      const session = await create();
      await expectRefused(() => session.run(inputs as Inputs), code, message);
      await expectRight(session);
    });

    test("an array that is transferred away before its turn", async () => {
      const session = await create();
      // Others go first: as many as may be under way.
      const others = [1, 2, 3].map(() => session.run({ data: good }));
      const data = good.data.slice();
      const run = session.run({ data });
      structuredClone(data, { transfer: [data.buffer] });
      await expect(run).rejects.toThrow(
        /^input "data": it was transferred away, or shrank, before its turn came; keep it until/,
      );
      await Promise.all(others);
      await expectRight(session);
    });
  });

  describe("by run, as options", () => {
    const cases: Case[] = [
      ["null", null, "usage", /^options: they are null; give an object of onProgress, signal, or leave it out$/],
      ["text", "prob", "usage", /^options: they are a string/],
      ["a signal that is none", { signal: true }, "usage", /^option signal: it is a boolean; give an AbortSignal$/],
      ["progress that is no function", { onProgress: 5 }, "usage", /^option onProgress: it is 5; give a function$/],
      ["outputs that are text", { outputs: "prob" }, "usage", /^outputs: they are a string; give an array of blobs/],
      ["an unknown output", { outputs: ["probs"] }, "usage", /^blob "probs": the plan does not keep it; name another/],
      ["an output by number", { outputs: [3] }, "usage", /^blob "3": the plan does not keep it/],
      ["one that is fused away", { outputs: ["stem.linear"] }, "usage", /^blob "stem\.linear": .* with fuse: false/],
    ];
    test.each(cases)("%s", async (_, options, code, message) => {
      const session = await create();
      await expectRefused(() => session.run({ data: good }, options as RunOptions), code, message);
      await expectRight(session);
    });
  });

  describe("by stream", () => {
    const cases: [...Case, options?: unknown][] = [
      ["no iterable", 3, "usage", /^inputs: they are a number; give an iterable or async iterable$/],
      ["text", "data", "usage", /^inputs: they are a string/],
      ["depth 0", [], "usage", /^option depth: it is 0; give a whole number from 1$/, { depth: 0 }],
      ["depth a half", [], "usage", /^option depth: it is 0\.5/, { depth: 0.5 }],
      ["a signal that is none", [], "usage", /^option signal: it is an Object/, { signal: {} }],
      ["options that are none", [], "usage", /^options: they are null/, null],
      ["wrong inputs in it", [{ data: new Float32Array(5) }], "array", /^input "data": its shape is 0×3×8×8/],
      ["null in it", [null], "array", /^inputs: they are null/],
      ["unknown outputs", [{ data: good }], "usage", /^blob "no": the plan does not keep it/, { outputs: ["no"] }],
    ];
    test.each(cases)("%s", async (_, inputs, code, message, options = {}) => {
      const session = await create();
      const call = () => session.stream(inputs as Inputs[], options as StreamOptions).next();
      await expectRefused(call, code, message);
      await expectRight(session);
    });
  });

  describe("by bind and encode", () => {
    const buffer = (size: number, usage: number) => {
      const made = gpu.device.createBuffer({ size, usage });
      onTestFinished(() => made.destroy());
      return made;
    };
    const right = () => ({
      inputs: { data: buffer(768, bufferUsage.copySrc) } as unknown,
      outputs: { prob: buffer(40, bufferUsage.copyDst) } as unknown,
      options: {} as unknown,
    });
    // What is wrong with a buffer itself: binding.test.ts.
    const cases: [name: string, given: object, code: string, message: RegExp][] = [
      ["inputs that are none", { inputs: null }, "usage", /^input buffers: they are null; give an object of buffers/],
      ["outputs that are none", { outputs: undefined }, "usage", /^output buffers: they are undefined/],
      ["inputs that lack one", { inputs: {} }, "buffer", /^buffer of input "data": it is missing; give a GPUBuffer$/],
      ["batch 0", { options: { batch: 0 } }, "usage", /^option batch: it is 0/],
      ["a batch of text", { options: { batch: "2" } }, "usage", /^option batch: it is a string/],
      ["options that are none", { options: null }, "usage", /^options: they are null; give an object of batch/],
      ["a batch for which a buffer is too small", { options: { batch: 2 } }, "buffer", /2×3×8×8 takes 1536 bytes/],
    ];
    test.each(cases)("%s", async (_, given, code, message) => {
      const session = await create();
      const { inputs, outputs, options } = { ...right(), ...given };
      const [from, to] = [inputs as Buffers, outputs as Buffers];
      await expectRefused(() => session.bind(from, to, options as object), code, message);
      const encoder = gpu.device.createCommandEncoder();
      await expectRefused(() => session.encode(encoder, from, to, options as object), code, message);
      gpu.device.queue.submit([encoder.finish()]);
      await expectRight(session);
    });

    test("what is no encoder, and one that is finished", async () => {
      const session = await create();
      const { inputs, outputs } = right() as { inputs: Buffers; outputs: Buffers };
      for (const encoder of [undefined, {}, gpu.device]) {
        await expect(session.encode(encoder as GPUCommandEncoder, inputs, outputs)).rejects.toThrow(
          expect.objectContaining({
            code: "usage",
            message: expect.stringMatching(/^command encoder: it is /) as string,
          }),
        );
      }
      const finished = gpu.device.createCommandEncoder();
      finished.finish();
      await expect(session.encode(finished, inputs, outputs)).rejects.toThrow(/^command encoder: /);
      await expectRight(session);
    });
  });

  describe("by Session.create", () => {
    const graph: Graph = { ...tiny, nodes: tiny.nodes.slice(0, 1), outputs: ["stem.linear"] };
    const with_ = (name: string, tensor: unknown) => ({
      model: { graph: tiny, weights: new Map<string, unknown>([...weights, [name, tensor]]) },
    });
    const cases: Case[] = [
      ["no options", { options: null }, "usage", /^options: they are null; give an object of batch, /],
      ["a device that is none", { device: {} }, "usage", /^option device: it is an Object; give a GPUDevice, or what/],
      ["a function that gives none", { device: () => null }, "usage", /^option device: it is null; give a GPUDevice/],
      ["batch 1.5", { batch: 1.5 }, "usage", /^option batch: it is 1\.5; give a whole number from 1$/],
      ["batch NaN", { batch: NaN }, "usage", /^option batch: it is NaN/],
      ["batch ∞", { batch: Infinity }, "usage", /^option batch: it is Infinity/],
      ["a negative tolerance", { tolerance: -1 }, "usage", /^option tolerance: it is -1; give a number from 0 to 1$/],
      ["tolerance NaN", { tolerance: NaN }, "usage", /^option tolerance: it is NaN/],
      ["fuse that is text", { fuse: "no" }, "usage", /^option fuse: it is a string; give true or false$/],
      ["merge that is a number", { merge: 1 }, "usage", /^option merge: it is 1; give true or false$/],
      ["half a byte of workspace", { workspace: 0.5 }, "usage", /^option workspace: it is 0\.5; give true, false or a/],
      ["choices of something else", { choices: { algorithm: {} } }, "usage", /^option choices: they have an unknown/],
      ["workspace null", { workspace: null }, "usage", /^option workspace: it is null/],
      ["ownsDevice null", { ownsDevice: null }, "usage", /^option ownsDevice: it is null/],
      ["progress that is none", { onProgress: "x" }, "usage", /^option onProgress: it is a string/],
      ["a signal that is none", { signal: {} }, "usage", /^option signal: it is an Object; give an AbortSignal$/],
      ["limits that are none", { limits: {} }, "usage", /^option limits: they have no maxBufferSize; give limitsOf/],
      ["kernels that are none", { kernels: {} }, "usage", /^option kernels: it is an Object; give kernels of/],
      [
        "kernels that reject",
        { kernels: () => Promise.reject(new Error("404")) },
        "gpu",
        /^kernel \w+: its text can't/,
      ],
      ["kernels without text", { kernels: () => undefined }, "gpu", /^kernel \w+: its text is undefined; mend the/],
      ["no model", { model: undefined }, "usage", /^model: its graph is undefined; give \{ graph, weights \}/],
      ["a model without nodes", { model: { graph: {}, weights } }, "usage", /^model: its graph is an Object/],
      ["weights that are none", { model: { graph: tiny, weights: {} } }, "usage", /^model: its weights are an Object/],
      ["a missing weight", { model: { graph, weights: new Map() } }, "weights", /^stem\.weight: it is missing/],
      [
        "a transposed weight",
        with_("fc.weight", { shape: [11, 10], data: new Float32Array(110) }),
        "weights",
        /^fc\.weight: its shape is 11×10; give 10×11 as float32$/,
      ],
      [
        "a weight that is too short",
        with_("fc.bias", { shape: [10], data: new Float32Array(9) }),
        "weights",
        /^fc\.bias: its data is a Float32Array of 9 elements; give 10 as float32$/,
      ],
      [
        "a weight of another type",
        with_("fc.bias", { shape: [10], data: new Float64Array(10) }),
        "weights",
        /^fc\.bias: its data is a Float64Array of 10 elements/,
      ],
    ];
    test.each(cases)("%s", async (_, given, code, message) => {
      const all = { device: gpu.device, kernels: kernelsOnDisk, model: { graph: tiny, weights }, ...(given as object) };
      const { model, options = all } = all as { model: Model; options?: SessionOptions };
      await expectRefused(() => Session.create(model, options), code, message);
    });

    test("kernels with the text of others", async () => {
      const swapped = () => kernelsOnDisk("concat");
      await expectRefused(() => create({ kernels: swapped }), "gpu", /^kernel \w+: /);
      // Refusing them is the device's part.
      gpu.errors.length = 0;
    });

    test("an adapter that is none", async () => {
      await expectRefused(() => openDevice({} as GPUAdapter), "usage", /^WebGPU adapter: it is an Object; give a GPUA/);
      await expectRefused(() => openDevice(), "adapter", /^WebGPU: it is not there; use a browser that has it/);
    });
  });

  test("by any call of a session that was disposed of", async () => {
    const session = await create();
    session.dispose();
    const calls: (() => unknown)[] = [
      () => session.run({ data: good }),
      () => session.stream([{ data: good }]).next(),
      () => session.bind({ data: gpu.device.createBuffer({ size: 768, usage: 4 }) }, {}),
      () => session.encode(gpu.device.createCommandEncoder(), {}, {}),
      () => session.plan(2),
      () => session.time({ data: good }),
    ];
    for (const call of calls) {
      await expectRefused(call, "device-lost", /^session: it was disposed of; make a new one$/);
    }
  });

  describe("by GpuClassifier", () => {
    const model: Model = { graph: tiny, weights };
    const cases: Case[] = [
      ["no options", { options: undefined }, "usage", /^options: they are undefined/],
      ["no models", { models: [] }, "usage", /^models: there is none; give one or more$/],
      ["a device that is none", { device: () => gpu.device }, "usage", /^option device: it is a function; give a GPUD/],
      ["kernels that are none", { kernels: null }, "usage", /^option kernels: it is null/],
      ["a protocol that there is not", { protocol: "crops20" }, "usage", /^option protocol: there is no crops20; give/],
      ["batch 0", { batch: 0 }, "usage", /^option batch: it is 0/],
      ["memory −1", { memory: -1 }, "usage", /^option memory: it is -1; give a whole number from 1$/],
      ["memory for nothing", { memory: 5 }, "out-of-memory", /^memory: one crop takes \d+ bytes, and it may take 5/],
      ["no pictures", { pictures: 0 }, "usage", /^option pictures: it is 0/],
    ];
    test.each(cases)("%s", async (_, given, code, message) => {
      const all = { device: gpu.device, kernels: kernelsOnDisk, models: [model], ...(given as object) };
      const { models, ...rest } = all;
      const options = "options" in all ? (all.options as GpuClassifierOptions) : rest;
      await expectRefused(() => GpuClassifier.create(models, options), code, message);
    });

    test("pictures that are none, and any once it was disposed of", async () => {
      const classifier = await GpuClassifier.create([model], { device: gpu.device, kernels: kernelsOnDisk });
      const short = { width: 9, height: 9, data: new Uint8Array(5) };
      await expectRefused(() => classifier.prepare(short), "picture", /^picture: /);
      const picture = classifier.prepare({ width: 2, height: 1, data: new Uint8Array(6) });
      const next = (options?: object) => classifier.classify([picture], (each) => each, options).next();
      await expectRefused(() => next({ signal: 1 }), "usage", /^option signal: it is 1/);
      classifier.dispose();
      await expectRefused(next, "device-lost", /^classifier: it was disposed of; make a new one$/);
    });
  });

  test("what is right though it seems wrong is taken", async () => {
    const expected = await referenceProb(weights, good);
    const sharedCopy = ({ shape, data }: Tensor): Tensor => {
      const shared = new Float32Array(new SharedArrayBuffer(data.byteLength));
      shared.set(data);
      return { shape, data: shared };
    };
    const inside = new Float32Array(good.data.length + 7);
    inside.set(good.data, 3);
    const shared = new Map([...weights].map(([name, tensor]) => [name, sharedCopy(tensor)]));
    const options = { limits: limitsOf(gpu.device), tolerance: 0, batch: undefined };
    const session = await create(options, { graph: tiny, weights: shared });
    for (const data of [sharedCopy(good).data, inside.subarray(3, 3 + good.data.length)]) {
      const { prob } = await session.run({ data }, { outputs: ["prob", "prob"], signal: new AbortController().signal });
      expect(prob).toBeAllclose(expected, { absolute: 1e-6 });
    }
    expect(await session.run({ data: good }, { outputs: [] })).toEqual({});
  });

  test("a value that is not finite spoils its own image and no other", async () => {
    const session = await create();
    for (const value of [NaN, Infinity]) {
      const data = good.data.slice();
      data[5] = value;
      const { prob } = await session.run({ data });
      const { data: expected } = await referenceProb(weights, good);
      expect([...prob.data.slice(0, 10)].every(Number.isNaN)).toBe(true);
      const rest = { shape: [10], data: prob.data.slice(10) };
      expect(rest).toBeAllclose({ shape: [10], data: expected.slice(10) }, { absolute: 1e-6 });
    }
    await expectRight(session);
  });
});
