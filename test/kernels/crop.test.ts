/** The crop kernel against the CPU's cutting, for every protocol: values, order, and nothing written beside them. */

import { expect, onTestFinished, test } from "vitest";
import { type Cut, CropCutter } from "../../src/classify/cutter.ts";
import { cropsOf, cutCrop, type Protocol } from "../../src/image/crops.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import { sampleCrops } from "../../src/image/sampling.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { bufferUsage, mapModeRead } from "../../src/webgpu/constants.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { noisePicture } from "../support/pictures.ts";
import { sentinel } from "../../src/tune/isolated.ts";

/** Of 0–255: some units in the last place of float32. */
const tolerance = 1e-4;

describeGpu("kernels/crop.wgsl on the GPU", () => {
  const gpu = useGpu();

  /** What the cuts leave in a target of `places` crops that held the sentinel. */
  async function cutOnGpu(
    picture: RgbImage,
    protocol: Protocol,
    cuts: readonly Cut[],
    places: number,
    side = 224,
  ): Promise<Float32Array> {
    const { device } = gpu;
    const cutter = await CropCutter.create(device, kernelsOnDisk, side);
    const before = new Float32Array(places * 3 * side * side).fill(sentinel);
    const usage = bufferUsage.storage | bufferUsage.copyDst | bufferUsage.copySrc;
    const target = device.createBuffer({ size: before.byteLength, usage });
    const readable = device.createBuffer({ size: before.byteLength, usage: bufferUsage.mapRead | bufferUsage.copyDst });
    onTestFinished(() => {
      target.destroy();
      readable.destroy();
    });
    device.queue.writeBuffer(target, 0, before);
    const uploaded = await cutter.upload(sampleCrops(picture, cropsOf(protocol, picture, side), side), cuts, target);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    cuts.forEach((_, index) => {
      uploaded.encode(pass, index);
    });
    pass.end();
    encoder.copyBufferToBuffer(target, 0, readable, 0, before.byteLength);
    device.queue.submit([encoder.finish()]);
    uploaded.dispose();
    await readable.mapAsync(mapModeRead);
    return new Float32Array(readable.getMappedRange().slice(0));
  }

  function expectCrops(actual: Float32Array, picture: RgbImage, protocol: Protocol, side = 224): void {
    const elements = 3 * side * side;
    const expected = new Float32Array(elements);
    cropsOf(protocol, picture, side).forEach((crop, index) => {
      cutCrop(picture, crop, expected, 0, side);
      const { maxAbs } = difference(actual.subarray(index * elements, (index + 1) * elements), expected);
      expect(maxAbs, JSON.stringify(crop)).toBeLessThanOrEqual(tolerance);
    });
  }

  test.each(["squash256", "squash224", "short256", "crops10"] as const)("%s of 640×427", async (protocol) => {
    const picture = noisePicture(640, 427);
    const count = cropsOf(protocol, picture).length;
    expectCrops(await cutOnGpu(picture, protocol, [{ firstCrop: 0, count, place: 0 }], count), picture, protocol);
  });

  test("all 144 crops of 500×333", async () => {
    const picture = noisePicture(500, 333);
    const cuts = [0, 36, 72, 108].map((firstCrop) => ({ firstCrop, count: 36, place: firstCrop }));
    expectCrops(await cutOnGpu(picture, "crops144", cuts, 144), picture, "crops144");
  });

  // Rows of every length modulo four: where in a word a pixel begins differs from row to row.
  test.each([
    [1, 1],
    [2, 1],
    [3, 7],
    [5, 5],
    [33, 500],
    [1, 5000],
    [4001, 3],
  ])("all 144 crops of %i×%i, for a small input", async (width, height) => {
    const picture = noisePicture(width, height);
    const cut = { firstCrop: 0, count: 144, place: 0 };
    expectCrops(await cutOnGpu(picture, "crops144", [cut], 144, 13), picture, "crops144", 13);
  });

  test("some of the crops, to their place, and nothing else is written", async () => {
    const picture = noisePicture(61, 40);
    const side = 9;
    const elements = 3 * side * side;
    const cuts = [
      { firstCrop: 3, count: 2, place: 1 },
      { firstCrop: 9, count: 1, place: 4 },
    ];
    const all = await cutOnGpu(picture, "crops10", [{ firstCrop: 0, count: 10, place: 0 }], 10, side);
    const some = await cutOnGpu(picture, "crops10", cuts, 6, side);
    const crop = (of: Float32Array, index: number) => of.subarray(index * elements, (index + 1) * elements);
    [undefined, 3, 4, undefined, 9, undefined].forEach((wanted, place) => {
      const expected = wanted === undefined ? new Float32Array(elements).fill(sentinel) : crop(all, wanted);
      expect(difference(crop(some, place), expected).maxAbs, `place ${place}`).toBe(0);
    });
  });

  test("a picture larger than the device's largest binding", async () => {
    const width = 20_000;
    const height = Math.ceil(gpu.limits.maxStorageBufferBindingSize / (3 * width)) + 1;
    const rowBytes = Uint8Array.from({ length: width * 3 }, (_, byte) => (byte * 7) % 251);
    const data = new Uint8Array(width * height * 3);
    for (let row = 0; row < height; row++) {
      data.set(rowBytes, row * width * 3);
      data[row * width * 3 + (row % width)] = row % 256;
    }
    expect(data.byteLength).toBeGreaterThan(gpu.limits.maxStorageBufferBindingSize);
    const picture = { width, height, data };
    const cut = { firstCrop: 0, count: 10, place: 0 };
    expectCrops(await cutOnGpu(picture, "crops10", [cut], 10), picture, "crops10");
  });
});
