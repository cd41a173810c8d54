/**
 * kernels/conv_gemm_matrix.wgsl, for whose subgroup matrices few devices are at hand: the file as Dawn's compiler takes
 * it, and everything in it but the matrices themselves on the table's convolutions.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDawn } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { sortValues } from "../../src/plan/launches.ts";
import { candidates, algorithms } from "../../src/plan/registry.ts";
import { defaultLimits, type PlanLimits } from "../../src/plan/limits.ts";
import { limitsOf, openDevice } from "../../src/webgpu/device.ts";
import { PipelineCache } from "../../src/webgpu/pipelines.ts";
import { setElements, setTiles } from "../../src/webgpu/kernel_source.ts";
import { casesOf } from "../support/cases.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { channelPlacement, oddPlacement, problemOf, twoPlaces } from "../support/run_kernel.ts";
import { matrices, writeOut } from "../support/subgroup_matrix.ts";
import { checkCase } from "./check_case.ts";

const own = algorithms.filter(({ name }) => name.startsWith("conv_gemm_matrix"));
const small = casesOf(["conv"], ["awkward"]).filter(
  ({ op, macs }) => op.type === "conv" && op.groups === 1 && macs < 3e5,
);
/** A GPU of 2022. */
const gpuLimits: PlanLimits = {
  ...defaultLimits,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupStorageSize: 49_152,
  subgroup: { min: 32, max: 32 },
  float16: true,
};

test("it is no candidate but where the device has matrices of float16 and subgroups of one size, and never the first", () => {
  const names = (limits: PlanLimits, precision: "f16" | "f32" = "f16") =>
    candidates(problemOf(small[0], channelPlacement, false, limits, precision)).map(({ name }) => name);
  const offered = { ...gpuLimits, subgroupMatrices: matrices };
  expect(own.map(({ name }) => name)).toHaveLength(3);
  expect(names(offered).slice(-3).sort()).toEqual(own.map(({ name }) => name).sort());
  for (const none of [
    names(gpuLimits),
    names(offered, "f32"),
    names({ ...offered, subgroup: { min: 8, max: 32 } }),
    names({ ...offered, subgroupMatrices: matrices.map((each) => ({ ...each, result: "f16" })) }),
    names({ ...offered, maxComputeWorkgroupStorageSize: 4096 }),
  ]) {
    expect(none.filter((name) => own.some((each) => each.name === name))).toEqual([]);
  }
});

describe("Dawn's compiler, without a driver", () => {
  let gpu: GPU | undefined;
  let device: GPUDevice | undefined;
  beforeAll(async () => {
    gpu = startDawn({ backend: "null", experiments: true });
    device = await openDevice((await gpu.requestAdapter())!);
  });
  afterAll(() => device?.destroy());

  test("takes it as it stands", async ({ skip }) => {
    skip(!device!.features.has("chromium-experimental-subgroup-matrix"), "this Dawn has no subgroup matrices");
    const code = await kernelsOnDisk("conv_gemm_matrix");
    expect((await device!.createShaderModule({ code }).getCompilationInfo()).messages).toEqual([]);
  });

  test.for(
    own.flatMap((each) =>
      matrices.map((matrix) => [each.name, Object.values(matrix).join(" "), each, matrix] as const),
    ),
  )("takes %s with %s", async ([, , algorithm, matrix], { skip }) => {
    skip(!device!.features.has("chromium-experimental-subgroup-matrix"), "this Dawn has no subgroup matrices");
    const limits = { ...gpuLimits, subgroupMatrices: [matrix] };
    const problem = problemOf(small[0], channelPlacement, true, limits, "f16");
    expect(algorithm.accepts(problem)).toBe(true);
    const [launch] = algorithm.launch(problem);
    const { kernel, values, workgroups } = launch;
    expect(workgroups[0]).toBeGreaterThan(0);
    const { constants, tiles } = sortValues(launch);
    const text = setElements(kernel.name, setTiles(kernel.name, await kernelsOnDisk(kernel.name), tiles), {
      Element: "f16",
    });
    const module = device!.createShaderModule({ code: text });
    expect((await module.getCompilationInfo()).messages).toEqual([]);
    // As far as this device's limits let it be one.
    const { maxComputeWorkgroupStorageSize, maxComputeInvocationsPerWorkgroup } = limitsOf(device!);
    if (maxComputeWorkgroupStorageSize < 17_408 || maxComputeInvocationsPerWorkgroup < values["workgroupSize"]) return;
    await device!.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main", constants } });
  });
});

describeGpu("conv_gemm_matrix on the GPU against the reference, its matrices written out", () => {
  const gpu = useGpu();

  // Each shape of matrices, each tile, ReLU or not, every way of placing the output; drivers take seconds to compile one.
  test.each([
    ["conv_gemm_matrix_64x64", matrices[0], true, oddPlacement],
    ["conv_gemm_matrix_128x64", matrices[1], false, twoPlaces],
    ["conv_gemm_matrix_32x32", matrices[2], true, channelPlacement],
  ] as const)("%s of %o, ReLU fused: %s", async (name, matrix, relu, placement) => {
    const pipelines = new PipelineCache(gpu.device, async (kernel) => {
      const source = await kernelsOnDisk(kernel);
      return kernel === "conv_gemm_matrix" ? writeOut(source) : source;
    });
    const limits = { subgroupMatrices: [matrix], maxComputeWorkgroupStorageSize: 32_768 };
    for (const each of small.filter(({ outputShape }) => !placement.twoPlaces || outputShape[1] > 1)) {
      const options = { limits, relu, precision: "f16", only: name, placements: [placement] } as const;
      expect(await checkCase({ ...gpu, pipelines }, each, options), each.name).toEqual([name]);
    }
  });
});
