/** Sessions: concurrent calls, several of them, batches split, disposal, loss of the device, and wrong input. */

import { describe, expect, onTestFinished, test, vi } from "vitest";
import { EngineError, type ErrorCode } from "../../src/errors.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { openAdapter, openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { limitsOf } from "../../src/webgpu/device.ts";
import { Session, type SessionOptions } from "../../src/webgpu/session.ts";
import "../support/close.ts";
import { collectErrors, describeGpu, useGpu } from "../support/gpu.ts";
import { batchOf, referenceProb, tiny, weightsFor } from "./tiny.ts";

const weights = weightsFor(tiny, 1);
const close = { absolute: 1e-6 };

describeGpu("sessions on the GPU", () => {
  const gpu = useGpu();
  const create = async (options: Partial<SessionOptions> = {}, graph = tiny, own = weights) => {
    const session = await Session.create(graph, own, { device: gpu.device, kernels: kernelsOnDisk, ...options });
    onTestFinished(() => {
      session.dispose();
    });
    return session;
  };
  const expectRight = async (session: Session, images: number, seed: number, own = weights) => {
    const data = batchOf(images, seed);
    const { prob } = await session.run({ data });
    expect(prob).toBeAllclose(await referenceProb(own, data), close);
  };

  test("concurrent calls with batches of many sizes are all answered right", async () => {
    const session = await create();
    // More sizes than programs are kept.
    await Promise.all([1, 3, 2, 1, 5, 8, 4, 6, 7, 3, 1].map((images, seed) => expectRight(session, images, seed)));
  });

  test("a call that fails leaves those before and behind it alone", async () => {
    const session = await create();
    const good = () => expectRight(session, 2, 3);
    const bad = session.run({ data: batchOf(2, 3) }, { outputs: ["nothing"] });
    await Promise.all([good(), expect(bad).rejects.toThrow(EngineError), good()]);
  });

  test("a call that reads nothing back is done once the device is", async () => {
    const session = await create();
    const data = batchOf(4096, 1);
    await session.run({ data }, { outputs: [] });
    const { queue } = gpu.device;
    let computed = false;
    const submit = vi.spyOn(queue, "submit").mockImplementation((commands) => {
      submit.mockRestore();
      queue.submit(commands);
      void queue.onSubmittedWorkDone().then(() => (computed = true));
    });
    await session.run({ data }, { outputs: [] });
    await new Promise((resolve) => setImmediate(resolve));
    expect(computed).toBe(true);
  });

  test("several sessions on one device, each with weights of its own", async () => {
    const others = [2, 3, 4].map((seed) => weightsFor(tiny, seed));
    const sessions = await Promise.all(others.map((each) => create({}, tiny, each)));
    await Promise.all(sessions.flatMap((session, i) => [1, 4].map((n) => expectRight(session, n, i, others[i]))));
  });

  test("two devices at once", async () => {
    const other = await openGpu();
    const errors: string[] = [];
    collectErrors(other.device, errors);
    const sessions = [await create(), await create({ device: other.device })];
    await Promise.all(sessions.flatMap((session) => [1, 2, 3].map((n) => expectRight(session, n, n))));
    sessions[1].dispose();
    other.device.destroy();
    await expectRight(sessions[0], 2, 5);
    expect(errors).toEqual([]);
  });

  test("a device that the embedder opened with WebGPU's default limits and no features", async () => {
    const adapter = await openAdapter();
    const device = await adapter.requestDevice();
    const errors: string[] = [];
    collectErrors(device, errors);
    const session = await create({ device });
    await expectRight(session, 9, 1);
    expect(
      (await session.plan()).steps.map(({ kernel }) => kernel).filter((name) => name.includes("subgroup")),
    ).toEqual([]);
    await expect(session.time({ data: batchOf(1, 1) })).rejects.toMatchObject({ code: "adapter" });
    session.dispose();
    device.destroy();
    expect(errors).toEqual([]);
  });

  describe("a batch that does not fit", () => {
    // The stem's output of one image is 8 × 8 × 8 × 4 bytes.
    const limitsFor = (images: number) => ({ ...limitsOf(gpu.device), maxStorageBufferBindingSize: images * 2048 });

    test.each([2, 3, 5])("%i images at a time: the same results, all blobs", async (most) => {
      const whole = await create({ fuse: false });
      const split = await create({ fuse: false, limits: limitsFor(most) });
      const submit = vi.spyOn(gpu.device.queue, "submit");
      onTestFinished(() => submit.mockRestore());
      const data = batchOf(8, most);
      const outputs = Object.keys((await whole.plan(8)).values);
      const expected = await whole.run({ data }, { outputs });
      submit.mockClear();
      const actual = await split.run({ data }, { outputs });
      expect(submit).toHaveBeenCalledTimes(Math.ceil(8 / most));
      expect(Object.keys(actual).sort()).toEqual([...outputs].sort());
      for (const id of outputs) expect(actual[id], id).toBeAllclose(expected[id], { relative: 1e-6 });
      expect((await split.plan(8)).batch).toBe(Math.ceil(8 / Math.ceil(8 / most)));
    });

    test("not one image at a time: the value and its bytes are named", async () => {
      const limits = { ...limitsOf(gpu.device), maxStorageBufferBindingSize: 2047 };
      await expectError(
        create({ limits }),
        "out-of-memory",
        /^stem: it takes 2048 bytes, .* at most 2047; use a smaller/,
      );
    });
  });

  test("the same batch gives the same bits, run after run and session after session", async () => {
    const data = batchOf(5, 9);
    const first = await (await create()).run({ data });
    const session = await create();
    for (let run = 0; run < 5; run++) {
      await session.run({ data: batchOf(5, run) });
      expect((await session.run({ data })).prob.data).toEqual(first.prob.data);
    }
  });

  test("an image gives the same probabilities whatever batch it is in", async () => {
    const session = await create();
    const data = batchOf(64, 4);
    const { prob } = await session.run({ data });
    for (const images of [1, 2, 8]) {
      for (const start of [0, 17, 64 - images]) {
        const part: Tensor = { shape: [images, 3, 8, 8], data: data.data.slice(start * 192, (start + images) * 192) };
        const alone = (await session.run({ data: part })).prob;
        const within = { shape: [images, 10], data: prob.data.slice(start * 10, (start + images) * 10) };
        expect(alone).toBeAllclose(within, close);
      }
    }
  });

  test("inputs that change are all seen: nothing of an earlier batch is left", async () => {
    const session = await create();
    for (const seed of [1, 2, 3])
      for (const images of [2, 1, 2]) await expectRight(session, images, 10 * seed + images);
  });

  test("a run makes no GPU object but its commands, and submits once", async () => {
    const session = await create();
    await session.run({ data: batchOf(1, 1) });
    const { device } = gpu;
    const makers = [
      "createBuffer",
      "createBindGroup",
      "createBindGroupLayout",
      "createComputePipeline",
      "createComputePipelineAsync",
      "createPipelineLayout",
      "createQuerySet",
      "createShaderModule",
      "createTexture",
    ] as const;
    const spies = makers.map((name) => vi.spyOn(device, name));
    const submit = vi.spyOn(device.queue, "submit");
    const write = vi.spyOn(device.queue, "writeBuffer");
    onTestFinished(() => [...spies, submit, write].forEach((spy) => spy.mockRestore()));
    await session.run({ data: batchOf(1, 2) });
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    expect(submit).toHaveBeenCalledTimes(1);
    expect(submit.mock.calls[0][0]).toHaveLength(1);
    expect(write).toHaveBeenCalledTimes(1);
    // The spies do see what is made.
    await session.run({ data: batchOf(2, 2) });
    expect(spies[0]).toHaveBeenCalled();
  });

  test("progress counts every step up to their number", async () => {
    const seen: [number, number][] = [];
    const session = await create({ onProgress: (done, total) => seen.push([done, total]) });
    const total = (await session.plan()).steps.length;
    expect(seen).toEqual(Array.from({ length: total }, (_, index) => [index + 1, total]));
  });

  test("progress ends where the session is given up, though its pipelines are still compiled", async () => {
    const giveUp = new AbortController();
    const seen: number[] = [];
    const onProgress = (done: number) => {
      seen.push(done);
      if (done === 2) giveUp.abort(new Error("enough"));
    };
    await expect(create({ onProgress, signal: giveUp.signal })).rejects.toThrow("enough");
    // These come after those, on the same device.
    await create();
    expect(seen).toEqual([1, 2]);
  });

  test("times: one for each step", async ({ skip }) => {
    skip(!gpu.device.features.has("timestamp-query"), "the GPU device has no timestamp queries");
    const session = await create();
    const times = await session.time({ data: batchOf(2, 1) });
    expect(times.map(({ step }) => step.name)).toEqual((await session.plan(2)).steps.map(({ name }) => name));
    for (const { nanoseconds } of times) expect(nanoseconds).toBeGreaterThanOrEqual(0);
    expect(times.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0)).toBeGreaterThan(0);
  });

  describe("disposal", () => {
    test("frees every buffer, rejects calls that wait, and leaves the device to others", async () => {
      const live = countBuffers(gpu.device);
      const session = await create();
      expect(live()).toBeGreaterThan(0);
      expect(session.bytes).toBeGreaterThan(0);
      const waiting = [1, 2, 3].map((images) => session.run({ data: batchOf(images, 1) }));
      const settled = Promise.allSettled(waiting);
      session.dispose();
      session.dispose();
      for (const each of await settled) {
        expect(each).toMatchObject({ status: "rejected", reason: { code: "device-lost" } });
      }
      await expectError(
        session.run({ data: batchOf(1, 1) }),
        "device-lost",
        /^session: it was disposed of; make a new one$/,
      );
      await expectError(session.plan(), "device-lost", /disposed/);
      expect([session.bytes, live()]).toEqual([0, 0]);
      await expectRight(await create(), 2, 1);
    });

    test("while a call runs", async () => {
      const live = countBuffers(gpu.device);
      const session = await create();
      atSubmit(gpu.device, () => {
        session.dispose();
      });
      const settled = Promise.allSettled([session.run({ data: batchOf(3, 1) })]);
      expect(await settled).toMatchObject([{ status: "rejected", reason: { code: "device-lost" } }]);
      expect([session.bytes, live()]).toEqual([0, 0]);
    });

    test("while another batch size is compiled", async () => {
      const live = countBuffers(gpu.device);
      const session = await create();
      const settled = Promise.allSettled([session.run({ data: batchOf(7, 1) })]);
      await Promise.resolve();
      session.dispose();
      expect(await settled).toMatchObject([{ status: "rejected", reason: { code: "device-lost" } }]);
      expect([session.bytes, live()]).toEqual([0, 0]);
    });

    test("programs that make room for others give their memory back", async () => {
      const session = await create();
      const use = async (batches: number[]) => {
        for (const images of batches) await session.run({ data: batchOf(images, 1) });
        return session.bytes;
      };
      const live = countBuffers(gpu.device);
      const all = [2, 3, 4, 5, 6, 7, 8, 9];
      await use(all);
      const [bytes, buffers] = [session.bytes, live()];
      for (let round = 0; round < 3; round++) expect([await use(all), live()]).toEqual([bytes, buffers]);
    });
  });

  describe("loss of the device", () => {
    test("rejects the call that runs, those that wait and those that come", async () => {
      const { device } = await openGpu();
      const session = await create({ device });
      const settled = Promise.allSettled([1, 2, 1].map((images) => session.run({ data: batchOf(images, 1) })));
      device.destroy();
      for (const each of await settled) {
        expect(each).toMatchObject({ status: "rejected", reason: { code: "device-lost" } });
      }
      await expectError(
        session.run({ data: batchOf(1, 1) }),
        "device-lost",
        /^GPU device: it was lost.*; open a new device/,
      );
    });

    test("between encoding and results", async () => {
      const { device } = await openGpu();
      const session = await create({ device });
      atSubmit(device, () => {
        device.destroy();
      });
      const settled = Promise.allSettled([session.run({ data: batchOf(4, 1) })]);
      expect(await settled).toMatchObject([{ status: "rejected", reason: { code: "device-lost" } }]);
    });

    test("before the session is made", async () => {
      const { device } = await openGpu();
      device.destroy();
      await device.lost;
      await expectError(create({ device }), "device-lost", /lost/);
    });
  });

  describe("out of memory", () => {
    test.each(["activations", "left.weight", "layers", "read-back"])(
      "for %s is an error that says so, and nothing stays allocated",
      async (label) => {
        const live = countBuffers(gpu.device, pretendFull(gpu.device, label));
        await expectError(
          create(),
          "out-of-memory",
          /: no room for it; use a smaller batch or input, or another adapter$/,
        );
        expect(live()).toBe(0);
        await expectRight(await create(), 2, 1);
      },
    );

    test("a read-back buffer larger than the device makes is an error before anything is made", async () => {
      const wide: Graph = {
        name: "wide",
        inputs: [{ name: "in", shape: ["N", gpu.device.limits.maxBufferSize] }],
        nodes: [{ name: "n", op: { type: "relu" }, inputs: ["in"], output: "v" }],
        outputs: ["v"],
      };
      const roomy = { ...limitsOf(gpu.device), maxStorageBufferBindingSize: 2 ** 40, maxBufferSize: 2 ** 40 };
      const live = countBuffers(gpu.device);
      const message = /^read-back buffer: the values take \d+ bytes, and the device's buffers at most \d+; read fewer/;
      await expectError(create({ limits: roomy }, wide, new Map()), "out-of-memory", message);
      expect(live()).toBe(0);
    });
  });

  describe("wrong input", () => {
    const good = batchOf(2, 1);
    const cases: [name: string, inputs: Record<string, Tensor>, code: ErrorCode, message: RegExp][] = [
      ["missing", {}, "array", /^input "data": it is missing; give .*3×8×8$/],
      [
        "wrong shape",
        { data: { ...good, shape: [2, 3, 4, 16] } },
        "array",
        /^input "data": its shape is 2×3×4×16; give 2×3×8×8$/,
      ],
      [
        "wrong rank",
        { data: { ...good, shape: [2, 192] } },
        "array",
        /^input "data": its shape is 2×192; give 2×3×8×8$/,
      ],
      [
        "no images",
        { data: { shape: [0, 3, 8, 8], data: new Float32Array() } },
        "array",
        /^input "data": its shape is 0×3×8×8; give /,
      ],
      [
        "too short",
        { data: { ...good, data: good.data.slice(1) } },
        "array",
        /^input "data": it has 383 elements for shape 2×3×8×8; give 384$/,
      ],
      [
        "too long",
        { data: { ...good, data: new Float32Array(385) } },
        "array",
        /^input "data": it has 385 elements for shape 2×3×8×8; give 384$/,
      ],
      ["unknown", { data: good, mean: good }, "usage", /^input "mean": tiny has none; give data$/],
      ["not whole", { data: { ...good, shape: [1.5, 3, 8, 8] } }, "array", /^input "data": .*1\.5×3×8×8/],
    ];

    test.each(cases)("%s", async (_, inputs, code, message) => {
      const session = await create();
      await expectError(session.run(inputs), code, message);
      await expectRight(session, 1, 1);
    });

    test("an output that the plan does not keep", async () => {
      const session = await create();
      for (const id of ["stem.linear", "nothing", "toString"]) {
        const run = session.run({ data: good }, { outputs: ["prob", id] });
        await expectError(run, "usage", new RegExp(`^blob "${id}": the plan does not keep it; name another`));
      }
      const unfused = await create({ fuse: false });
      expect(Object.keys(await unfused.run({ data: good }, { outputs: ["stem.linear"] }))).toEqual(["stem.linear"]);
    });

    test("weights that are missing or of another shape", async () => {
      const live = countBuffers(gpu.device);
      const without = new Map([...weights].filter(([name]) => name !== "fc.weight"));
      await expectError(create({}, tiny, without), "weights", /^fc\.weight: it is missing; give weights that hold it$/);
      const short = new Map(weights).set("fc.weight", { shape: [10, 4], data: new Float32Array(40) });
      await expectError(create({}, tiny, short), "weights", /^fc\.weight: its shape is 10×4; give 10×11 as float32$/);
      expect(live()).toBe(0);
    });

    test("a kernel that does not compile, or is not there", async () => {
      const broken: SessionOptions["kernels"] = async (name) =>
        name === "lrn" ? `${await kernelsOnDisk(name)}\nfn broken(` : kernelsOnDisk(name);
      await expectError(create({ kernels: broken }), "gpu", /^kernel lrn\.wgsl:\d+:\d+: .*; report this/);
      const missing: SessionOptions["kernels"] = () =>
        Promise.reject(new EngineError("gpu", "kernels", "none", "mend"));
      await expectError(create({ kernels: missing }), "gpu", /^kernels: none; mend$/);
    });
  });
});

async function expectError(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EngineError);
  const { code: actual, message: text } = error as EngineError;
  expect(text).toMatch(message);
  expect(text).not.toContain("\n");
  expect(actual).toBe(code);
}

/** A function that tells how many buffers were made since and not destroyed; `onMade` is told each one's label. */
function countBuffers(device: GPUDevice, onMade: (label: string | undefined) => void = () => undefined): () => number {
  const live = new Set<GPUBuffer>();
  const make = device.createBuffer.bind(device);
  const spy = vi.spyOn(device, "createBuffer").mockImplementation((descriptor) => {
    const buffer = make(descriptor);
    onMade(descriptor.label);
    const destroy = buffer.destroy.bind(buffer);
    live.add(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      destroy();
    };
    return buffer;
  });
  onTestFinished(() => spy.mockRestore());
  return () => live.size;
}

/** Calls back once the next run has given its work to the GPU and waits for it. */
function atSubmit({ queue }: GPUDevice, callback: () => void): void {
  const submit = queue.submit.bind(queue);
  const spy = vi.spyOn(queue, "submit").mockImplementationOnce((commands) => {
    submit(commands);
    queueMicrotask(callback);
    return undefined;
  });
  onTestFinished(() => spy.mockRestore());
}

/**
 * Makes the device answer as one does whose memory does not suffice for the first buffer of this label. Gives the
 * function to tell of every buffer that is made.
 */
function pretendFull(device: GPUDevice, label: string): (made: string | undefined) => void {
  const scopes: GPUErrorFilter[] = [];
  let armed = true;
  let full = false;
  const push = device.pushErrorScope.bind(device);
  const pop = device.popErrorScope.bind(device);
  const spies = [
    vi.spyOn(device, "pushErrorScope").mockImplementation((filter) => {
      scopes.push(filter);
      push(filter);
    }),
    vi.spyOn(device, "popErrorScope").mockImplementation(async () => {
      const answer = scopes.pop() === "out-of-memory" && full;
      if (answer) full = false;
      const error = await pop();
      return answer ? { message: "no room for it" } : error;
    }),
  ];
  onTestFinished(() => spies.forEach((spy) => spy.mockRestore()));
  return (made) => {
    if (made !== label || !armed) return;
    armed = false;
    full = true;
  };
}
