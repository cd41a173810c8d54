/** 1×1 convolutions as matrix products of their weights with each image's pixels as they lie. */

import type { Conv } from "../../graph/ops.ts";
import { type Algorithm, placement, type Problem } from "../kernel.ts";
import { convParameters, restPlace } from "./conv_parameters.ts";
import { type Product, type ProductKernel, productScalar, productSubgroup, productVec4 } from "./product.ts";

/** Whether it looks at single pixels, all of them, and at all channels. */
export function isPointwise({ kernel, stride, pad, groups }: Conv): boolean {
  return (
    [...kernel, ...stride, groups].every((extent) => extent === 1) &&
    Object.values(pad).every((extent: number) => extent === 0)
  );
}

function productOf(problem: Problem<Conv>): Product {
  const { layer, op, inputs, output, relu, limits } = problem;
  const [images, inChannels, height, width] = inputs[0].shape;
  return {
    layer,
    limits,
    images,
    inChannels,
    outChannels: op.outChannels,
    columns: height * width,
    ownWeights: false,
    relu,
    place: placement(inputs[0], output),
    input: { kind: "input", input: 0 },
    output: { kind: "output" },
    ...(problem.rest && { rest: restPlace(problem) }),
    parameters: (tileChannels) => convParameters(problem, tileChannels),
  };
}

function pointwise({ kernel, fuses, accepts, preference, launch }: ProductKernel): Algorithm<Conv> {
  return {
    name: kernel.name,
    op: "conv",
    kernels: [kernel],
    ...(fuses && { fuses }),
    accepts: (problem) => isPointwise(problem.op) && accepts(productOf(problem)),
    preference: ({ limits }) => preference(limits),
    launch: (problem) => [launch(productOf(problem))],
  };
}

export const convPointwise = pointwise(productScalar);
export const convPointwiseVec4 = pointwise(productVec4);
export const convPointwiseSubgroup = pointwise(productSubgroup);
