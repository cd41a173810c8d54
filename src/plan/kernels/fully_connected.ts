/** Launches kernels/fully_connected.wgsl. */

import type { FullyConnected } from "../../graph/ops.ts";
import {
  imageElements,
  inputWeightBiasOutput,
  oneKernel,
  placement,
  workgroupGrid,
  workgroupSizeFor,
} from "../kernel.ts";

const tileFeatures = 4;

export const fullyConnected = oneKernel<FullyConnected>({
  name: "fully_connected",
  op: "fully_connected",
  bindings: inputWeightBiasOutput,
  constants: ["workgroupSize", "relu"],
  layer: ["images", "inFeatures", "inOffset", "inStride", "outFeatures", "outOffset", "outStride"],
  tiles: ["TILE_FEATURES", "TILE_IMAGES"],
  accepts: () => true,
  launch({ layer, op, inputs, output, relu, limits }) {
    const images = output.shape[0];
    const inFeatures = imageElements(inputs[0]);
    // Every weight is loaded once a tile of images.
    const tileImages = Math.min(images, 4);
    const tiles = Math.ceil(op.outFeatures / tileFeatures) * Math.ceil(images / tileImages);
    return [
      {
        values: {
          ...placement(inputs[0], output),
          workgroupSize: workgroupSizeFor(limits),
          images,
          inFeatures,
          outFeatures: op.outFeatures,
          relu: Number(relu),
          TILE_FEATURES: tileFeatures,
          TILE_IMAGES: tileImages,
        },
        bindings: [
          { kind: "input", input: 0 },
          {
            kind: "parameter",
            parameter: { layout: "plain", name: `${layer}.weight`, elements: op.outFeatures * inFeatures },
          },
          {
            kind: "parameter",
            parameter: op.bias
              ? { layout: "plain", name: `${layer}.bias`, elements: op.outFeatures }
              : { layout: "zeros", elements: op.outFeatures },
          },
          { kind: "output" },
        ],
        workgroups: workgroupGrid(layer, tiles, limits),
      },
    ];
  },
});
