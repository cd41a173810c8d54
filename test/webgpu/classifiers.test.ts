/**
 * Small classifiers built as AlexNet, SqueezeNet, ResNet, ShuffleNet and transformers are: on the GPU and by the
 * reference as by ONNX Runtime, whole and in parts of the batch.
 */

import { expect, test } from "vitest";
import { runReference } from "../../src/cpu/reference.ts";
import { type Graph, inferShapesForBatch, type Node, type ValueId } from "../../src/graph/graph.ts";
import type { Op } from "../../src/graph/ops.ts";
import { squareWindow } from "../../src/graph/ops/window.ts";
import type { Shape, Tensor } from "../../src/graph/tensor.ts";
import type { Weights } from "../../src/graph/weights.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { imageValues } from "../../src/plan/images.ts";
import { Session } from "../../src/webgpu/session.ts";
import "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { runOnnxRuntime } from "../support/onnx_runtime.ts";
import { randomTensor, uniform } from "../support/random.ts";
import { weightsFor } from "./tiny.ts";

/** Nodes one after another, each named after its output; `from` is what the last one made unless given. */
class Layers {
  readonly nodes: Node[] = [];
  private last: ValueId = "in";

  add(name: string, op: Op, ...from: ValueId[]): this {
    const constant = op.type === "constant";
    this.nodes.push({ name, op, inputs: constant ? [] : from.length > 0 ? from : [this.last], output: name });
    if (!constant) this.last = name;
    return this;
  }

  relu(): this {
    return this.add(`${this.last}/relu`, { type: "relu" });
  }

  conv(name: string, outChannels: number, kernel: number, { stride = 1, pad = 0, groups = 1 } = {}): this {
    return this.add(name, { type: "conv", ...squareWindow(kernel, stride, pad), outChannels, groups, bias: true });
  }

  normalise(name: string): this {
    return this.add(name, { type: "scale", axis: 1, axes: 1, bias: true });
  }

  graph(name: string, shape: Shape): Graph {
    return { name, inputs: [{ name: "in", shape: ["N", ...shape] }], nodes: this.nodes, outputs: [this.last] };
  }
}

const add = { type: "binary", function: "add" } as const;
const times = { type: "matmul", transposeA: false, transposeB: false } as const;
const pool = { type: "pool_max", ...squareWindow(3, 2), rounding: "floor" } as const;
const mean = { type: "reduce", function: "mean", axes: [-1], keepDims: true } as const;
const classes = { type: "fully_connected", outFeatures: 7, bias: true } as const;
const softmax = { type: "softmax", axis: -1 } as const;
const local = { type: "lrn", size: 5, alpha: 1e-2, beta: 0.75, k: 1 } as const;

const alexNet = new Layers()
  .conv("conv1", 8, 5, { stride: 2 })
  .relu()
  .add("norm1", local)
  .add("pool1", pool)
  .conv("conv2", 12, 3, { pad: 1, groups: 2 })
  .relu()
  .add("norm2", { ...local, region: "within", size: 3 })
  .add("fc6", { type: "fully_connected", outFeatures: 20, bias: true })
  .relu()
  .add("drop6", { type: "dropout", ratio: 0.5 })
  .add("fc8", classes)
  .add("prob", softmax);

const squeezeNet = new Layers()
  .conv("squeeze", 4, 1)
  .relu()
  .conv("wide", 6, 3, { pad: 1 })
  .relu()
  .add("narrow", { type: "conv", ...squareWindow(1), outChannels: 5, groups: 1, bias: true }, "squeeze/relu")
  .relu()
  .add("fire", { type: "concat", axis: 1 }, "wide/relu", "narrow/relu")
  .conv("conv10", 7, 1, { pad: 1 })
  .relu()
  .add("pool10", { type: "reduce", function: "mean", axes: [2, 3], keepDims: true })
  .add("prob", { ...softmax, axis: 1, trailing: true })
  .add("flat", { type: "reshape", form: "squeeze", axes: [2, 3] });

const resNet = new Layers()
  .conv("stem", 6, 3, { pad: 1 })
  .conv("a", 6, 3, { pad: 1 })
  .normalise("a/norm")
  .relu()
  .conv("b", 6, 3, { pad: 1 })
  .normalise("b/norm")
  .add("sum", add, "b/norm", "stem")
  .relu()
  .add("doubled", add, "sum/relu", "sum/relu")
  .add("top", { type: "reduce", function: "max", axes: [2, 3], keepDims: false })
  .add("fc", classes);

const shuffleNet = new Layers()
  .conv("grouped", 12, 1, { groups: 3 })
  .add("six", { type: "unary", function: "clip", min: 0, max: 6 })
  .add("split", { type: "reshape", form: "shape", shape: [0, 3, 4, 11, 9] })
  .add("shuffled", { type: "transpose", permutation: [0, 2, 1, 3, 4] })
  .add("joined", { type: "reshape", form: "shape", shape: [0, -1, 11, 9] })
  .conv("depthwise", 12, 3, { stride: 2, pad: 1, groups: 12 })
  .add("padded", { type: "pad", before: [0, 0, 1, 2], after: [0, 0, 0, 1], mode: "reflect", value: 0 })
  .add("left", { type: "slice", ranges: [{ axis: 1, start: 0, end: 6, step: 1 }] }, "padded")
  .add("right", { type: "gather", axis: 1, indices: [6, 8, 10, -1], indicesShape: [4] }, "padded")
  .add("both", { type: "concat", axis: 1 }, "left", "right")
  .add("mean", { type: "reduce", function: "mean", axes: [2, 3], keepDims: false })
  .add("fc", classes);

/** Attention over 9 columns as tokens of 11 rows, then layer normalisation, as exporters spell them. */
const attention = new Layers()
  .conv("token", 1, 1)
  .add("rows", { type: "reshape", form: "squeeze", axes: [1] })
  .add("tokens", { type: "transpose", permutation: [0, 2, 1] })
  .add("wq", { type: "constant", shape: [11, 8] })
  .add("wk", { type: "constant", shape: [11, 8] })
  .add("q", times, "tokens", "wq")
  .add("k", times, "tokens", "wk")
  .add("scores", { ...times, transposeB: true }, "q", "k")
  .add("weights", softmax)
  .add("mixed", times, "weights", "tokens")
  .add("residual", { ...add, scales: [1, 0.5] }, "mixed", "tokens")
  .add("centre", mean)
  .add("apart", { type: "binary", function: "sub" }, "residual", "centre")
  .add("squares", { type: "binary", function: "mul" }, "apart", "apart")
  .add("variance", mean)
  .add("spread", { type: "unary", function: "sqrt" })
  .add("normal", { type: "binary", function: "div" }, "apart", "spread")
  .add("gelu", { type: "unary", function: "tanh" })
  .add("fc", classes)
  .add("prob", { ...softmax, log: true });

describeGpu("small classifiers on the GPU", () => {
  const gpu = useGpu();
  const inputShape = [3, 11, 9];

  test.each([
    alexNet.graph("alexnet", inputShape),
    squeezeNet.graph("squeezenet", inputShape),
    resNet.graph("resnet", inputShape),
    shuffleNet.graph("shufflenet", inputShape),
    attention.graph("attention", inputShape),
  ])("$name", async (graph) => {
    const weights = weightsFor(graph, 1);
    const input = randomTensor([5, ...inputShape], uniform(2));
    const expected = await referenceOf(graph, weights, input);
    const [output] = graph.outputs;
    const shaped = inferShapesForBatch(graph, 5);
    const others = await runOnnxRuntime(shaped, weights, new Map([["in", input]]), { spellLrn: true });
    for (const [id, tensor] of expected) {
      if (others.has(id)) expect(tensor, id).toBeAllclose(others.get(id)!, { relative: 1e-5 });
    }
    expect(imageValues(graph, 5)).toBeDefined();
    const largest = Math.max(...[...shaped.shapes.values()].map((shape) => shape.reduce((a, b) => a * b, 4)));
    // Whole, blob by blob, and two images at a time.
    const twoAtATime = { ...gpu.limits, maxStorageBufferBindingSize: Math.ceil((largest / 5) * 2.5) };
    for (const options of [{}, { fuse: false }, { limits: twoAtATime }]) {
      using session = await Session.create(graph, weights, { device: gpu.device, kernels: kernelsOnDisk, ...options });
      const plan = await session.plan(5);
      const results = await session.run({ in: input }, { outputs: Object.keys(plan.values) });
      for (const [id, tensor] of Object.entries(results)) {
        if (id === "in") continue;
        expect(tensor, `${id} with ${Object.keys(options).join()}`).toBeAllclose(expected.get(id)!, { relative: 3e-5 });
      }
      expect(results[output].shape[0]).toBe(5);
      if ("limits" in options) expect(plan.batch).toBe(2);
    }
  });
});

async function referenceOf(graph: Graph, weights: Weights, input: Tensor): Promise<Map<ValueId, Tensor>> {
  return runReference(inferShapesForBatch(graph, input.shape[0]), weights, new Map([["in", input]]), { keep: "all" });
}
