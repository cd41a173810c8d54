// @ts-nocheck -- TensorFlow.js is installed in this folder alone, and only where peers are measured.
/**
 * TensorFlow.js on its WebGPU backend, on the same Dawn as this engine, as the bench's workers run it. The network is
 * written out in its own operations: N, H, W, C, convolutions fused with bias and ReLU.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { create, globals } from "webgpu";

const require = createRequire(import.meta.url);
const versionOf = (name) => require(`${name}/package.json`).version;

/** Branches of an Inception block whose output they make, in this order. */
const BLOCKS = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"];

/** It keeps its device, and through the global `navigator` Dawn, for as long as the process lives. */
export const holdsProcess = true;

/**
 * Settings: TensorFlow.js's own flags by name.
 *
 * @param {import("../../src/bench/job.ts").Job} job
 * @returns {Promise<import("../../src/bench/job.ts").OpenEngine>}
 */
export async function open({ settings, batch, unsafe, adapter, files }) {
  const device = startDawn(adapter, unsafe);
  const tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-webgpu");
  for (const [flag, value] of Object.entries(settings)) tf.env().set(flag, value);
  await tf.setBackend("webgpu");
  await tf.ready();
  if (tf.getBackend() !== "webgpu") throw new Error(`TensorFlow.js chose ${tf.getBackend()}`);
  const network = makeNetwork(tf, readWeights(tf, files.weights));
  const infer = (input) => tf.tidy(() => network(tf.tensor4d(input, [batch, 224, 224, 3])));
  return {
    adapter: device.name(),
    versions: {
      "@tensorflow/tfjs-core": versionOf("@tensorflow/tfjs-core"),
      "@tensorflow/tfjs-backend-webgpu": versionOf("@tensorflow/tfjs-backend-webgpu"),
      webgpu: versionOf("webgpu"),
    },
    prepare: (input) => toChannelsLast(input, batch),
    async run(input) {
      const output = infer(input);
      const probabilities = await output.data();
      output.dispose();
      return probabilities;
    },
    async runWithoutReadback(input) {
      const output = infer(input);
      const backend = tf.backend();
      // It submits by itself every so many dispatches: there may be nothing left.
      if (backend.commandEncoder) backend.submitQueue();
      await backend.queue.onSubmittedWorkDone();
      output.dispose();
    },
    inFlight: 4,
    close: () => undefined,
  };
}

/** Gives TensorFlow.js the globals of a page, with the adapter that is wanted. */
function startDawn(adapter, unsafe) {
  const flags = adapter === null ? [] : [`adapter=${adapter}`];
  if (unsafe) flags.push("enable-dawn-features=allow_unsafe_apis,skip_validation,disable_robustness");
  const gpu = create(flags);
  let info;
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const found = await requestAdapter(options);
    info = found?.info;
    return found;
  };
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "" }, configurable: true });
  return { name: () => info?.description || info?.device || null };
}

/** The safetensors file's float32 tensors, filters turned to height, width, in, out. */
function readWeights(tf, file) {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString("utf8"));
  const { buffer, byteOffset } = bytes;
  const tensors = new Map();
  for (const [name, { shape, data_offsets: range }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = range.map((offset) => byteOffset + 8 + length + offset);
    const data = new Float32Array(buffer.slice(begin, end));
    // tidy would dispose of what is made along the way; keep holds on to what is wanted.
    tensors.set(
      name,
      tf.tidy(() => {
        const tensor = tf.tensor(data, shape);
        if (shape.length === 4) return tf.keep(tf.transpose(tensor, [2, 3, 1, 0]));
        return tf.keep(shape.length === 2 ? tf.transpose(tensor) : tensor);
      }),
    );
  }
  return tensors;
}

function makeNetwork(tf, weights) {
  const conv = (x, name, strides = 1, pad = "same") =>
    tf.fused.conv2d({
      x,
      filter: weights.get(`${name}.weight`),
      bias: weights.get(`${name}.bias`),
      strides,
      pad,
      activation: "relu",
    });
  // Caffe's rounded-up windows: of even inputs "same" pads below and right alone, and a pool's padding never wins.
  const pool = (x, stride) => tf.maxPool(x, 3, stride, "same");
  // TensorFlow does not divide alpha by the number of channels in the window.
  const normalise = (x) => tf.localResponseNormalization(x, 2, 1, 1e-4 / 5, 0.75);
  const inception = (x, block) => {
    const layer = (from, name) => conv(from, `inception_${block}/${name}`);
    const branches = [
      layer(x, "1x1"),
      layer(layer(x, "3x3_reduce"), "3x3"),
      layer(layer(x, "5x5_reduce"), "5x5"),
      layer(pool(x, 1), "pool_proj"),
    ];
    return tf.concat(branches, 3);
  };
  return (input) => {
    const sides = [0, 0];
    // Three before and, of 224 by twos, two behind: what a third would add is cut off.
    let x = conv(input, "conv1/7x7_s2", 2, [sides, [3, 2], [3, 2], sides]);
    x = normalise(pool(x, 2));
    x = conv(conv(x, "conv2/3x3_reduce"), "conv2/3x3");
    x = pool(normalise(x), 2);
    for (const block of BLOCKS) {
      x = inception(x, block);
      if (block === "3b" || block === "4e") x = pool(x, 2);
    }
    x = tf.reshape(tf.avgPool(x, 7, 1, "valid"), [x.shape[0], -1]);
    const logits = tf.fused.matMul({
      a: x,
      b: weights.get("loss3/classifier.weight"),
      bias: weights.get("loss3/classifier.bias"),
    });
    return tf.softmax(logits);
  };
}

/** N, C, H, W to N, H, W, C. */
function toChannelsLast(input, batch) {
  const channels = 3;
  const pixels = input.length / batch / channels;
  const output = new Float32Array(input.length);
  for (let image = 0; image < batch; image++) {
    const start = image * channels * pixels;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        output[start + pixel * channels + channel] = input[start + channel * pixels + pixel];
      }
    }
  }
  return output;
}
