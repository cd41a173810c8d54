/** Weights on the GPU: what an upload leaves behind that failed. */

import { expect, test } from "vitest";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { planGraph } from "../../src/plan/planner.ts";
import { limitsOf } from "../../src/webgpu/device.ts";
import { ParameterBuffers } from "../../src/webgpu/parameters.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { tiny, weightsFor } from "./tiny.ts";

describeGpu("weights on the GPU", () => {
  const gpu = useGpu();

  test("that were refused are forgotten, and those uploaded before stay", async () => {
    const { parameters } = planGraph(inferShapesForBatch(tiny, 1), limitsOf(gpu.device), {});
    const all = weightsFor(tiny, 1);
    const some = new Map(all);
    const buffers = new ParameterBuffers(gpu.device, some);
    const [first] = await buffers.upload(parameters.slice(0, 1));
    const { bytes } = buffers;
    const last = parameters.at(-1)!;
    const names = "name" in last ? [last.name] : [...all.keys()].slice(-1);
    for (const name of names) some.delete(name);
    // Another that comes at the same time is none the worse.
    const [failed, other] = await Promise.allSettled([
      buffers.upload(parameters),
      buffers.upload(parameters.slice(0, 2)),
    ]);
    expect(failed).toMatchObject({ status: "rejected", reason: { code: "weights" } });
    expect(other).toMatchObject({ status: "fulfilled" });
    for (const [name, tensor] of all) some.set(name, tensor);
    expect(buffers.bytes).toBeLessThan(
      bytes + (await buffers.upload(parameters)).reduce((sum, { size }) => sum + size, 0),
    );
    expect((await buffers.upload(parameters))[0]).toBe(first);
    buffers.dispose();
  });

  test("that the device has no room for take none", async () => {
    const { parameters } = planGraph(inferShapesForBatch(tiny, 1), limitsOf(gpu.device), {});
    const buffers = new ParameterBuffers(gpu.device, weightsFor(tiny, 1));
    gpu.device.pushErrorScope("validation");
    const createBuffer = gpu.device.createBuffer.bind(gpu.device);
    const made: GPUBuffer[] = [];
    // The last is larger than any device allows.
    Object.defineProperty(gpu.device, "createBuffer", {
      configurable: true,
      value: (descriptor: GPUBufferDescriptor) => {
        const size = made.length === parameters.length - 1 ? 2 ** 50 : descriptor.size;
        made.push(createBuffer({ ...descriptor, size }));
        return made.at(-1);
      },
    });
    try {
      await expect(buffers.upload(parameters)).rejects.toMatchObject({ subject: "weights" });
      expect(buffers.bytes).toBe(0);
    } finally {
      Reflect.deleteProperty(gpu.device, "createBuffer");
      await gpu.device.popErrorScope();
    }
    await buffers.upload(parameters);
    expect(buffers.bytes).toBeGreaterThan(0);
    buffers.dispose();
  });
});
