/** Every algorithm that accepts a case of the table against the CPU reference, in every placement. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { halvesToFloats } from "../../src/formats/half.ts";
import { floatsToHalves } from "../../src/plan/half.ts";
import { poolMax } from "../../src/cpu/pool_max.ts";
import { relu as reluOf } from "../../src/cpu/relu.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import type { Op, PoolMax } from "../../src/graph/ops.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { Algorithm } from "../../src/plan/kernel.ts";
import type { PlanLimits } from "../../src/plan/limits.ts";
import type { Precision } from "../../src/plan/precision.ts";
import { algorithms, candidates } from "../../src/plan/registry.ts";
import { cases, drawCase, type OpCase } from "../support/cases.ts";
import "../support/close.ts";
import type { TestGpu } from "../support/gpu.ts";
import { freshSeed } from "../support/random.ts";
import {
  channelPlacement,
  oddPlacement,
  type Placement,
  problemOf,
  referenceOf,
  runKernel,
} from "../support/run_kernel.ts";

export interface CheckOptions {
  readonly limits?: Partial<PlanLimits>;
  readonly placements?: readonly Placement[];
  /** Whether a ReLU is fused behind the op. */
  readonly relu?: boolean;
  /** The magnitude of what is added up, where the sums may be much smaller: rounding is held against the larger. */
  readonly magnitude?: number;
  /** The algorithm to run; all that accept the case unless given. */
  readonly only?: string;
  /** A max pooling that is fused before the op. */
  readonly pool?: PoolMax;
  /** What inputs, weights and outputs are stored as; f32 unless given. Those drawn are rounded to it first. */
  readonly precision?: Precision;
  /** Of algorithms that begin with the same kernel, the one whose turn it is; all unless given. */
  readonly turn?: number | undefined;
}

/** Fails with every parameter of the case, the algorithm, the placement and the seed. Gives the algorithms that ran. */
export async function checkCase(gpu: TestGpu, opCase: OpCase, options: CheckOptions = {}): Promise<string[]> {
  const { placements = [oddPlacement, channelPlacement], relu = false, magnitude = 0, limits = {} } = options;
  const { precision = "f32" } = options;
  const seed = freshSeed();
  const { inputs, weights } = precision === "f16" ? roundedDraw(opCase, seed) : drawCase(opCase, seed);
  const linear = referenceOf(opCase, pooled(inputs, options.pool), weights, false);
  const ran = new Set<string>();
  const expected = relu ? reluOf(linear) : linear;
  for (const placement of placements) {
    const given = problemOf(
      opCase,
      placement,
      relu,
      limitsFor(opCase, placement, relu, { ...gpu.limits, ...limits }),
      precision,
    );
    const problem = { ...given, ...(options.pool && { pool: options.pool }) };
    for (const algorithm of takeTurns(candidates(problem), options.turn)) {
      if (options.only !== undefined && algorithm.name !== options.only) continue;
      ran.add(algorithm.name);
      const context = [
        `${algorithm.name} on ${opCase.name}, ${placement.name}${relu ? ", ReLU fused" : ""}, ${precision}`,
        `GOOGLENET_TEST_SEED=${seed}`,
        `limits ${JSON.stringify(problem.limits)}`,
        `launches ${JSON.stringify(algorithm.launch(problem).map(({ values, workgroups }) => ({ ...values, workgroups })))}`,
      ].join("\n");
      const { output, strayWrites } = await runKernel(gpu, algorithm, problem, inputs, weights);
      const relative = relativeTolerance(opCase, algorithm, precision);
      const softmax = precision === "f16" ? halfUnit : 1e-6;
      const bound = {
        absolute:
          opCase.op.type === "softmax" && !opCase.op.log
            ? softmax
            : relative * Math.max(largest(linear.data), magnitude),
      };
      expect(output, context).toBeAllclose(expected, bound);
      expect(strayWrites.slice(0, 10), `${strayWrites.length} stray writes: ${context}`).toEqual([]);
    }
  }
  return [...ran];
}

/** What rounding to float16 may take of a value, in parts of it. */
const halfUnit = 2 ** -11;

/**
 * How far an algorithm's results may lie from the exact ones, in parts of the largest magnitude. In float16 what is
 * computed is rounded when it is stored; what several dispatches pass on stays float32.
 */
function relativeTolerance({ tolerance }: OpCase, { tolerance: own = 0 }: Algorithm, precision: Precision): number {
  const wide = Math.max(tolerance, own);
  return precision === "f32" || wide === 0 ? wide : wide + halfUnit;
}

/** What is drawn, as float16 has it. */
function roundedDraw(opCase: OpCase, seed: number): ReturnType<typeof drawCase> {
  const { inputs, weights } = drawCase(opCase, seed);
  const rounded = (tensors: ReadonlyMap<string, Tensor>) =>
    new Map(
      [...tensors].map(([id, { shape, data }]) => [
        id,
        { shape, data: halvesToFloats(floatsToHalves(data).subarray(0, data.length)) },
      ]),
    );
  return { inputs: rounded(inputs), weights: rounded(weights) };
}

/** The algorithms whose turn it is among those that begin with the same kernel. */
function takeTurns(all: readonly Algorithm[], turn: number | undefined): readonly Algorithm[] {
  if (turn === undefined) return all;
  return all.filter((algorithm) => {
    const alike = all.filter(({ kernels }) => kernels[0] === algorithm.kernels[0]);
    return alike[turn % alike.length] === algorithm;
  });
}

/** The inputs as a pooling before the op leaves them. */
export function pooled(inputs: ReadonlyMap<ValueId, Tensor>, pool: PoolMax | undefined): ReadonlyMap<ValueId, Tensor> {
  if (!pool) return inputs;
  return new Map([...inputs].map(([id, input]) => [id, poolMax(pool, input, input.shape)]));
}

/**
 * The given limits; in a channel slice, the grid spread over three dimensions besides, as on a device that allows the
 * fewest workgroups in each that the case can do with.
 */
function limitsFor(opCase: OpCase, placement: Placement, relu: boolean, limits: PlanLimits): PlanLimits {
  if (!placement.channels) return limits;
  const problem = problemOf(opCase, placement, relu, limits);
  const most = candidates(problem)
    .flatMap((algorithm) => algorithm.launch(problem))
    .reduce((count, { workgroups: [x, y, z] }) => Math.max(count, x * y * z), 1);
  return { ...limits, maxComputeWorkgroupsPerDimension: Math.max(2, Math.ceil(Math.cbrt(most))) };
}

function largest(data: Float32Array): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Whether the device has what an algorithm needs beyond WebGPU's core; those that need nothing more run on every one. */
export function runsOn(algorithm: Algorithm, limits: PlanLimits): boolean {
  const needsMore = algorithm.kernels.every(({ name }) => {
    const source = readFileSync(new URL(`../../kernels/${name}.wgsl`, import.meta.url), "utf8");
    return /^enable /m.test(source);
  });
  const accepted = cases.some(
    (each) => each.op.type === algorithm.op && algorithm.accepts(problemOf(each, channelPlacement, false, limits)),
  );
  return !needsMore || accepted;
}

/** The names of the registry's algorithms for an op that the device can run. */
export function algorithmsOf(op: Op["type"], limits: PlanLimits): string[] {
  return algorithms
    .filter((algorithm) => algorithm.op === op && runsOn(algorithm, limits))
    .map(({ name }) => name)
    .sort();
}
