/**
 * Weights made from a seed: for measuring and for parity checks where no trained ones are at hand. The labels mean
 * nothing, but the values behave as a trained network's do: no layer dies, none overflows, LRN has work to do, and the
 * softmax is neither flat nor saturated on pictures of the usual range (0–255 minus the mean).
 */

import { EngineError } from "../errors.ts";
import type { Parameter } from "../graph/graph.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";

/** The largest seed: seeds are unsigned 32-bit integers. */
export const MAX_SEED = 0xffffffff;
const SEED_PREFIX = "seed:";

/**
 * Factors on top of He's, which keeps the mean square of the values from layer to layer.
 *
 * LRN divides by (1 + α/n·Σx²)^β, whose output is at its largest where the mean square x² is about 2/α = 2·10⁴. There
 * the output hardly depends on the contrast of the picture, so the two layers in front of an LRN aim for it. The
 * classifiers scale the features down to logits with a standard deviation of 2 to 3.
 */
const GAINS: ReadonlyMap<string, number> = new Map([
  ["conv1/7x7_s2", 1.5],
  ["conv2/3x3", 2],
  ["loss1/classifier", 0.02],
  ["loss2/classifier", 0.02],
  ["loss3/classifier", 0.02],
]);
/** Small beside activations of some 100, yet far above the tolerances of parity checks. */
const BIAS_BOUND = 0.5;

/**
 * Deterministic weights: the same bits for the same seed, name and shape on every platform, whatever other parameters
 * there are. Only integer arithmetic and operations that IEEE 754 rounds exactly (×, ÷, √) are used.
 *
 * @param parameters what to fill, e.g. `ShapedGraph.parameters`
 * @param seed an integer from 0 to 2³² − 1
 * @throws EngineError "usage" for another seed
 */
export function seededWeights(parameters: readonly Parameter[], seed: number): Weights {
  if (!Number.isInteger(seed) || seed < 0 || seed > MAX_SEED) {
    throw new EngineError("usage", `seed ${seed}`, "is out of range", `give an integer from 0 to ${MAX_SEED}`);
  }
  return new Map(parameters.map(({ name, shape }) => [name, seededTensor(name, shape, seed)]));
}

/** Whether a weights source is meant as a seed, well-formed or not. */
export function isSeedSource(source: string): boolean {
  return source.startsWith(SEED_PREFIX);
}

/**
 * The N of `seed:N`.
 *
 * @throws EngineError "usage" where N is not a decimal integer from 0 to 2³² − 1
 */
export function parseSeed(source: string): number {
  const digits = source.slice(SEED_PREFIX.length);
  const seed = Number(digits);
  if (!isSeedSource(source) || !/^(0|[1-9]\d*)$/.test(digits) || seed > MAX_SEED) {
    throw new EngineError("usage", source, "is not a seed", `give seed:N with N an integer from 0 to ${MAX_SEED}`);
  }
  return seed;
}

function seededTensor(name: string, shape: Shape, seed: number): Tensor {
  const data = new Float32Array(elementCount(shape));
  const nextUniform = uniformGenerator(seed, name);
  if (shape.length < 2) {
    for (let i = 0; i < data.length; i++) data[i] = BIAS_BOUND * nextUniform();
    return { shape, data };
  }
  const outChannels = shape[0];
  const fanIn = data.length / outChannels;
  // He: variance 2 / fan-in; a uniform distribution on ±b has variance b² / 3.
  const bound = (GAINS.get(name.replace(/\.weight$/, "")) ?? 1) * Math.sqrt(6 / fanIn);
  // Odd filters are their predecessors negated: of each pair just one passes the ReLU, at every position and whatever
  // the input, so that exactly half of a layer's values pass (up to biases) and the signal's energy is kept.
  for (let channel = 0; channel < outChannels; channel++) {
    const start = channel * fanIn;
    for (let i = start; i < start + fanIn; i++) {
      data[i] = channel % 2 === 1 ? -data[i - fanIn] : bound * nextUniform();
    }
  }
  return { shape, data };
}

/**
 * Uniform numbers in [-1, 1), multiples of 2⁻²³, from xoshiro128** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2018; https://prng.di.unimi.it/xoshiro128starstar.c).
 *
 * Each name has a stream of its own, so that a tensor does not depend on which others are asked for.
 */
function uniformGenerator(seed: number, name: string): () => number {
  // FNV-1a over the name's UTF-16 code units tells the streams apart.
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  // The state is filled by a mixing counter (a 32-bit splitmix with MurmurHash3's finaliser).
  let counter = mix(seed) ^ hash;
  const nextState = (): number => mix((counter = (counter + 0x9e3779b9) | 0));
  let a = nextState();
  let b = nextState();
  let c = nextState();
  let d = nextState() | 1; // never all zero
  return () => {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return (scrambled >> 8) * 2 ** -23;
  };
}

function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

function rotateLeft(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
