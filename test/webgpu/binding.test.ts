/** Sessions bound to buffers of the caller's: the same results as `run`, and what is refused before it is recorded. */

import { describe, expect, onTestFinished, test } from "vitest";
import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import type { Buffers } from "../../src/webgpu/binding.ts";
import { bufferUsage, mapModeRead } from "../../src/webgpu/constants.ts";
import { limitsOf } from "../../src/webgpu/device.ts";
import { Session, type SessionOptions } from "../../src/webgpu/session.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { batchOf, tiny, weightsFor } from "./tiny.ts";

const imageBytes = 3 * 8 * 8 * 4;
const probBytes = 10 * 4;
const { copySrc, copyDst, mapRead } = bufferUsage;

describeGpu("a session bound to the caller's buffers on the GPU", () => {
  const gpu = useGpu();

  const create = async (options: Partial<SessionOptions> = {}) => {
    const device = gpu.device;
    const session = await Session.create(tiny, weightsFor(tiny, 1), { device, kernels: kernelsOnDisk, ...options });
    onTestFinished(() => {
      session.dispose();
    });
    return session;
  };
  const buffer = (size: number, usage: number, device = gpu.device) => {
    const made = device.createBuffer({ size, usage });
    onTestFinished(() => made.destroy());
    return made;
  };
  const inputBuffer = (images: number, seed: number, offset = 0) => {
    const made = buffer(offset + images * imageBytes, copySrc | copyDst);
    gpu.device.queue.writeBuffer(made, offset, batchOf(images, seed).data);
    return made;
  };
  const submit = (record: (encoder: GPUCommandEncoder) => void) => {
    const encoder = gpu.device.createCommandEncoder();
    record(encoder);
    gpu.device.queue.submit([encoder.finish()]);
  };
  const read = async (readable: GPUBuffer) => {
    await readable.mapAsync(mapModeRead);
    const data = new Float32Array(readable.getMappedRange().slice(0));
    readable.unmap();
    return data;
  };

  test("gives what run gives, at offsets too, run after run", async () => {
    const session = await create();
    const output = buffer(256 + 3 * probBytes, copyDst | mapRead);
    const input = inputBuffer(3, 7, 512);
    using binding = await session.bind(
      { data: { buffer: input, offset: 512 } },
      { prob: { buffer: output, offset: 256 } },
      { batch: 3 },
    );
    expect(binding.batch).toBe(3);
    for (const seed of [7, 8]) {
      gpu.device.queue.writeBuffer(input, 512, batchOf(3, seed).data);
      submit((encoder) => {
        binding.encode(encoder);
      });
      // A run in between uses the same program.
      const { prob } = await session.run({ data: batchOf(3, seed) });
      await session.run({ data: batchOf(3, 99) });
      expect(difference((await read(output)).subarray(64), prob.data).maxAbs).toBe(0);
    }
  });

  test("encoding batches of many sizes in turn keeps one program for each", async () => {
    const session = await create();
    const sizes = [1, 2, 3, 4, 5, 6];
    const output = buffer(6 * probBytes, copyDst | mapRead);
    const input = inputBuffer(6, 5);
    const round = async () => {
      for (const batch of sizes) {
        const encoder = gpu.device.createCommandEncoder();
        await session.encode(encoder, { data: input }, { prob: output }, { batch });
        gpu.device.queue.submit([encoder.finish()]);
      }
      await gpu.device.queue.onSubmittedWorkDone();
      return session.bytes;
    };
    const once = await round();
    expect(await round()).toBe(once);
    expect(await round()).toBe(once);
    const { prob } = await session.run({ data: batchOf(6, 5) });
    expect(difference(await read(output), prob.data).maxAbs).toBe(0);
  });

  test("a batch that the device can't hold goes in parts, any blob to its place", async () => {
    // The stem's output of one image is 8 × 8 × 8 × 4 bytes.
    const session = await create({ limits: { ...limitsOf(gpu.device), maxStorageBufferBindingSize: 2 * 2048 } });
    const [prob, left] = [buffer(5 * probBytes, copyDst | mapRead), buffer(5 * 6 * 16 * 4, copyDst | mapRead)];
    const encoder = gpu.device.createCommandEncoder();
    await session.encode(encoder, { data: inputBuffer(5, 3) }, { prob, left }, { batch: 5 });
    gpu.device.queue.submit([encoder.finish()]);
    const expected = await session.run({ data: batchOf(5, 3) }, { outputs: ["prob", "left"] });
    expect(difference(await read(prob), expected.prob.data).maxAbs).toBe(0);
    expect(difference(await read(left), expected["left"].data).maxAbs).toBe(0);
  });

  describe("refuses", () => {
    const right = () => ({ input: buffer(imageBytes, copySrc), output: buffer(probBytes, copyDst) });
    type Make = () => { input?: unknown; output?: unknown; other?: unknown };
    const cases: [name: string, make: Make, code: string, message: RegExp][] = [
      ["no input", () => ({ input: undefined }), "buffer", /input "data": it is undefined; give a GPUBuffer/],
      ["what is no buffer", () => ({ input: batchOf(1, 1) }), "buffer", /input "data": it is an Object; give a GPU/],
      [
        "one too small",
        () => ({ input: buffer(imageBytes - 4, copySrc) }),
        "buffer",
        /has 764 bytes, and 1×3×8×8 takes/,
      ],
      [
        "an offset that leaves too little",
        () => ({ output: { buffer: buffer(probBytes, copyDst), offset: 4 } }),
        "buffer",
        /output "prob": it has 36 bytes/,
      ],
      [
        "an offset between elements",
        () => ({ output: { buffer: buffer(99, copyDst), offset: 3 } }),
        "buffer",
        /its offset is 3 bytes; give a whole multiple of 4/,
      ],
      [
        "an input without COPY_SRC",
        () => ({ input: buffer(imageBytes, copyDst) }),
        "buffer",
        /usage COPY_SRC; make it/,
      ],
      ["an output without COPY_DST", () => ({ output: buffer(probBytes, copySrc) }), "buffer", /usage COPY_DST; make/],
      [
        "one that is mapped",
        () => ({ input: gpu.device.createBuffer({ size: imageBytes, usage: copySrc, mappedAtCreation: true }) }),
        "buffer",
        /it is mapped; unmap it first/,
      ],
      [
        "an output over the input",
        () => {
          const both = buffer(imageBytes, copySrc | copyDst);
          return { input: both, output: { buffer: both, offset: imageBytes - probBytes } };
        },
        "buffer",
        /output "prob": its bytes 728 to 768 overlap the buffer of input "data"/,
      ],
      ["a blob that there is not", () => ({ other: buffer(64, copyDst) }), "usage", /blob "other": the plan does not/],
    ];

    test.each(cases)("%s", async (_, make, code, message) => {
      const session = await create();
      const { input, output } = right();
      const { other, ...given } = make();
      const all = { input, output, ...given };
      const outputs = { prob: all.output, ...(other === undefined ? {} : { other }) };
      await expect(session.bind({ data: all.input as GPUBuffer }, outputs as unknown as Buffers)).rejects.toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
      );
    });

    test("one that was destroyed, and one of another device", async () => {
      const session = await create();
      const { input, output } = right();
      const destroyed = buffer(imageBytes, copySrc);
      destroyed.destroy();
      await expect(session.bind({ data: destroyed }, { prob: output })).rejects.toThrow(/it was destroyed; make a new/);
      const other = await openGpu();
      const foreign = buffer(probBytes, copyDst, other.device);
      await expect(session.bind({ data: input }, { prob: foreign })).rejects.toThrow(
        /it is of another device; make it/,
      );
      other.device.destroy();
    });

    test("to record once the binding or its session was disposed of", async () => {
      const session = await create();
      const { input, output } = right();
      const [one, other] = [
        await session.bind({ data: input }, { prob: output }),
        await session.bind({ data: input }, { prob: output }),
      ];
      one.dispose();
      const encoder = gpu.device.createCommandEncoder();
      expect(() => {
        one.encode(encoder);
      }).toThrow(/^binding: it was disposed of; bind the buffers again$/);
      other.encode(encoder);
      session.dispose();
      expect(() => {
        other.encode(encoder);
      }).toThrow(expect.objectContaining({ code: "device-lost" }));
    });
  });
});
