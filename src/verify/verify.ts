/** Every blob of a network on WebGPU, blob by blob beside what it should be. */

import type { EngineError } from "../errors.ts";
import type { Graph, ShapedGraph, ValueId } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import type { PlanOptions } from "../plan/planner.ts";
import type { Precision } from "../plan/precision.ts";
import type { KernelSource } from "../webgpu/kernel_source.ts";
import { Session } from "../webgpu/session.ts";
import {
  type BlobKind,
  type BlobVerdict,
  compareBlob,
  incomparable,
  type Tolerances,
  tolerances,
  tolerancesOf,
} from "./compare.ts";

/** Blobs by name. */
export type Blobs = ReadonlyMap<ValueId, Tensor>;

/** Where blobs are computed, and which. */
export interface WebgpuBlobsOptions extends Pick<PlanOptions, "choices"> {
  readonly device: GPUDevice;
  readonly kernels: KernelSource;
  /** f32 unless given. */
  readonly precision?: Precision;
  /** The blobs that are asked for. */
  readonly wanted: ReadonlySet<ValueId>;
  /** Told how many of the pipelines are ready. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Runs the graph on a device as `Session` does unless asked otherwise, and reads the wanted blobs: the outputs from a
 * run that reads nothing else, as everybody makes it, the others from a second one. Blobs that fusion removed come
 * from a session without it. Beside them, how far the session's plan may be off.
 */
export async function webgpuBlobs(
  graph: Graph,
  weights: Weights,
  inputs: Readonly<Record<ValueId, Tensor>>,
  { wanted, ...others }: WebgpuBlobsOptions,
): Promise<{ blobs: Map<ValueId, Tensor>; allowed: Tolerances }> {
  const batch = Object.values(inputs)[0].shape[0];
  const options = { ...others, batch };
  const blobs = new Map<ValueId, Tensor>();
  const keep = (tensors: Readonly<Record<ValueId, Tensor>>) => {
    for (const [id, tensor] of Object.entries(tensors)) if (wanted.has(id)) blobs.set(id, tensor);
  };
  let allowed: Tolerances;
  {
    using session = await Session.create(graph, weights, options);
    keep(await session.run(inputs));
    const plan = await session.plan(batch);
    allowed = tolerancesOf(plan);
    const others = Object.keys(plan.values).filter((id) => wanted.has(id) && !blobs.has(id));
    if (others.length > 0) keep(await session.run(inputs, { outputs: others }));
  }
  const removed = [...wanted].filter((id) => !blobs.has(id));
  if (removed.length > 0) {
    using session = await Session.create(graph, weights, { ...options, fuse: false });
    keep(await session.run(inputs, { outputs: removed }));
  }
  return { blobs, allowed };
}

/** How far all blobs are from what they should be. */
export interface Verification {
  /** A verdict on each expected blob, in the graph's order. */
  readonly verdicts: readonly BlobVerdict[];
  readonly pass: boolean;
  /** The first blob, in the graph's order, that misses its tolerance. */
  readonly firstFailure: ValueId | null;
  /** The blob that is furthest off, by its largest difference over its largest magnitude. */
  readonly worst: ValueId | null;
}

/**
 * Compares blobs with what they should be. A blob of which that can't be known (an array that can't be read, say)
 * fails with the error in its place; without anything to compare it does not pass.
 */
export function verifyBlobs(
  { graph, shapes }: ShapedGraph,
  actual: Blobs,
  expected: ReadonlyMap<ValueId, Tensor | EngineError>,
  allowed: Tolerances = tolerances,
): Verification {
  const probabilities = new Set(graph.nodes.filter(({ op }) => op.type === "softmax").map(({ output }) => output));
  const verdicts = [...shapes].flatMap(([id, shape]) => {
    const wanted = expected.get(id);
    if (!wanted) return [];
    if (wanted instanceof Error) return [incomparable(id, shape, wanted.message)];
    const kind: BlobKind = probabilities.has(id) ? "probability" : "activation";
    const found = actual.get(id);
    return [
      found ? compareBlob(id, found, wanted, kind, allowed) : incomparable(id, wanted.shape, "it was not computed"),
    ];
  });
  return {
    verdicts,
    pass: verdicts.length > 0 && verdicts.every(({ pass }) => pass),
    firstFailure: verdicts.find(({ pass }) => !pass)?.blob ?? null,
    worst:
      verdicts.reduce<BlobVerdict | null>((worst, each) => (worst && !worse(each, worst) ? worst : each), null)?.blob ??
      null,
  };
}

/** Whether `a` is further off than `b`; what is not a number is furthest. */
function worse(a: BlobVerdict, b: BlobVerdict): boolean {
  return !Number.isNaN(b.maxRel) && !(a.maxRel <= b.maxRel);
}
