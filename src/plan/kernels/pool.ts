/** Launches kernels/pool_max.wgsl, pool_max_rows.wgsl, pool_avg.wgsl and pool_global_avg.wgsl. */

import type { PoolAvg, PoolGlobalAvg, PoolMax } from "../../graph/ops.ts";
import { elementCount } from "../../graph/tensor.ts";
import {
  bestTile,
  inputAndOutput,
  oneKernel,
  placement,
  placementFields,
  type Problem,
  threadPerTile,
  workgroupGrid,
  workgroupSizeFor,
} from "../kernel.ts";
import { perThread } from "./subgroups.ts";

const windowLayer = [
  "threadCount",
  "channels",
  "inHeight",
  "inWidth",
  "inOffset",
  "inStride",
  "outHeight",
  "outWidth",
  "outOffset",
  "outStride",
  "kernelHeight",
  "kernelWidth",
  "strideY",
  "strideX",
  "dilationY",
  "dilationX",
  "padTop",
  "padLeft",
] as const;

function launchWindow({ layer, op, inputs, output, limits }: Problem<PoolMax | PoolAvg>) {
  const [, channels, inHeight, inWidth] = inputs[0].shape;
  const [, , outHeight, outWidth] = output.shape;
  const { values, workgroups } = threadPerTile(layer, elementCount(output.shape), limits);
  return {
    values: {
      ...values,
      ...placement(inputs[0], output),
      channels,
      inHeight,
      inWidth,
      outHeight,
      outWidth,
      kernelHeight: op.kernel[0],
      kernelWidth: op.kernel[1],
      strideY: op.stride[0],
      strideX: op.stride[1],
      dilationY: op.dilation[0],
      dilationX: op.dilation[1],
      padTop: op.pad.top,
      padLeft: op.pad.left,
    },
    bindings: [{ kind: "input", input: 0 }, { kind: "output" }] as const,
    workgroups,
  };
}

export const poolMax = oneKernel<PoolMax>({
  name: "pool_max",
  op: "pool_max",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: windowLayer,
  tiles: [],
  accepts: () => true,
  launch: (problem) => [launchWindow(problem)],
});

/** Larger windows cost more registers than their loads are worth. */
const mostTaps = 7;

export const poolMaxRows = oneKernel<PoolMax>({
  name: "pool_max_rows",
  op: "pool_max",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: [
    "threadCount",
    "channels",
    "inHeight",
    "inWidth",
    "inOffset",
    "inStride",
    "outHeight",
    "outWidth",
    "outOffset",
    "outStride",
    "tileRows",
    "padTop",
    "padLeft",
  ],
  tiles: ["TILE_COLUMNS", "TAPS_X", "TAPS_Y", "STRIDE_X", "STRIDE_Y"],
  accepts: ({ op: { kernel, dilation, stride } }) =>
    dilation.every((extent) => extent === 1) &&
    kernel.every((extent, axis) => extent <= mostTaps && stride[axis] <= extent),
  launch({ layer, op, inputs, output, limits }) {
    const [, channels, inHeight, inWidth] = inputs[0].shape;
    const [images, , outHeight, outWidth] = output.shape;
    const tileColumns = bestTile(outWidth, [7, 8, 6, 5, 4]);
    const strips = images * channels * Math.ceil(outWidth / tileColumns);
    const tileRows = perThread(outHeight, strips, limits);
    const { values, workgroups } = threadPerTile(layer, strips * Math.ceil(outHeight / tileRows), limits);
    return [
      {
        values: {
          ...values,
          ...placement(inputs[0], output),
          channels,
          inHeight,
          inWidth,
          outHeight,
          outWidth,
          tileRows,
          padTop: op.pad.top,
          padLeft: op.pad.left,
          TILE_COLUMNS: tileColumns,
          TAPS_X: op.kernel[1],
          TAPS_Y: op.kernel[0],
          STRIDE_X: op.stride[1],
          STRIDE_Y: op.stride[0],
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups,
      },
    ];
  },
});

export const poolAvg = oneKernel<PoolAvg>({
  name: "pool_avg",
  op: "pool_avg",
  bindings: inputAndOutput,
  constants: ["workgroupSize", "countPadding"],
  layer: [...windowLayer, "padBottom", "padRight"],
  tiles: [],
  accepts: () => true,
  launch(problem) {
    const { pad, countPadding } = problem.op;
    const launch = launchWindow(problem);
    return [
      {
        ...launch,
        values: {
          ...launch.values,
          padBottom: pad.bottom,
          padRight: pad.right,
          countPadding: Number(countPadding),
        },
      },
    ];
  },
});

export const poolGlobalAvg = oneKernel<PoolGlobalAvg>({
  name: "pool_global_avg",
  op: "pool_global_avg",
  bindings: inputAndOutput,
  constants: ["workgroupSize"],
  layer: ["channels", "pixels", "images", ...placementFields],
  tiles: [],
  accepts: () => true,
  launch({ layer, inputs, output, limits }) {
    const [images, channels, height, width] = inputs[0].shape;
    return [
      {
        values: {
          ...placement(inputs[0], output),
          workgroupSize: workgroupSizeFor(limits),
          channels,
          pixels: height * width,
          images,
        },
        bindings: [{ kind: "input", input: 0 }, { kind: "output" }],
        workgroups: workgroupGrid(layer, images * channels, limits),
      },
    ];
  },
});
