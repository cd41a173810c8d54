/**
 * GoogLeNet as BVLC trained it in Caffe: "Going Deeper with Convolutions" (CVPR 2015), Table 1, with local response
 * normalisation after the first pool and the second convolution as in the paper's Figure 3, and both auxiliary heads.
 * Layer and blob names are Caffe's.
 */

import { EngineError } from "../errors.ts";
import { type Graph, inferShapesForBatch, type Node, type ValueId } from "./graph.ts";
import type { Op } from "./ops.ts";
import { squareWindow } from "./ops/window.ts";

/** One row of Table 1: output channels of the branches of an Inception block. */
interface Inception {
  readonly conv1x1: number;
  readonly reduce3x3: number;
  readonly conv3x3: number;
  readonly reduce5x5: number;
  readonly conv5x5: number;
  readonly poolProjection: number;
}

// Table 1 of the paper:      #1×1  #3×3 reduce  #3×3  #5×5 reduce  #5×5  pool proj
const table1 = {
  "3a": row(64, 96, 128, 16, 32, 32),
  "3b": row(128, 128, 192, 32, 96, 64),
  "4a": row(192, 96, 208, 16, 48, 64),
  "4b": row(160, 112, 224, 24, 64, 64),
  "4c": row(128, 128, 256, 24, 64, 64),
  "4d": row(112, 144, 288, 32, 64, 64),
  "4e": row(256, 160, 320, 32, 128, 128),
  "5a": row(256, 160, 320, 32, 128, 128),
  "5b": row(384, 192, 384, 48, 128, 128),
} as const;

type BlockName = keyof typeof table1;

function row(
  conv1x1: number,
  reduce3x3: number,
  conv3x3: number,
  reduce5x5: number,
  conv5x5: number,
  poolProjection: number,
): Inception {
  return { conv1x1, reduce3x3, conv3x3, reduce5x5, conv5x5, poolProjection };
}

/** The classes of ILSVRC 2012. */
const classCount = 1000;

/** What of the network is wanted, and for pictures of which size. */
export interface GoogLeNetOptions {
  /** Input size in pixels; 224 × 224 unless given. */
  readonly height?: number;
  readonly width?: number;
  /** `all` adds the auxiliary classifiers `loss1` and `loss2`, whose probabilities are `loss1/prob`, `loss2/prob`. */
  readonly heads?: "main" | "all";
}

/**
 * The network as a graph with the input `data` (N, 3, height, width), planes B, G, R minus their means, and the
 * output `prob` (N, 1000).
 *
 * At sizes other than 224 × 224 the last pool is global. Throws EngineError "usage" for a size at which some layer
 * has no output, or at which the auxiliary heads' fully connected layers do not fit.
 */
export function googLeNet({ height = 224, width = 224, heads = "main" }: GoogLeNetOptions = {}): Graph {
  const network = new NetworkBuilder();
  network.stem();
  network.inception("3a");
  network.inception("3b");
  network.maxPool("pool3/3x3_s2");
  network.inception("4a");
  if (heads === "all") network.auxiliaryHead("loss1");
  network.inception("4b");
  network.inception("4c");
  network.inception("4d");
  if (heads === "all") network.auxiliaryHead("loss2");
  network.inception("4e");
  network.maxPool("pool4/3x3_s2");
  network.inception("5a");
  network.inception("5b");
  network.classifier(height === 224 && width === 224);

  const graph: Graph = {
    name: "googlenet",
    inputs: [{ name: "data", shape: ["N", 3, height, width] }],
    nodes: network.nodes,
    outputs: heads === "all" ? ["prob", "loss1/prob", "loss2/prob"] : ["prob"],
  };
  checkSize(graph, height, width);
  return graph;
}

/** Appends nodes in topological order; `current` is the blob that the next layer of the trunk takes. */
class NetworkBuilder {
  readonly nodes: Node[] = [];
  private current: ValueId = "data";

  stem(): void {
    this.current = this.convolution("conv1/7x7_s2", "conv1/relu_7x7", this.current, 64, 7, 2, 3);
    this.maxPool("pool1/3x3_s2");
    this.normalise("pool1/norm1");
    this.current = this.convolution("conv2/3x3_reduce", "conv2/relu_3x3_reduce", this.current, 64, 1);
    this.current = this.convolution("conv2/3x3", "conv2/relu_3x3", this.current, 192, 3, 1, 1);
    this.normalise("conv2/norm2");
    this.maxPool("pool2/3x3_s2");
  }

  inception(name: BlockName): void {
    const block = `inception_${name}`;
    const { conv1x1, reduce3x3, conv3x3, reduce5x5, conv5x5, poolProjection } = table1[name];
    const input = this.current;
    const conv = (layer: string, from: ValueId, outChannels: number, kernel: number) =>
      this.convolution(
        `${block}/${layer}`,
        `${block}/relu_${layer}`,
        from,
        outChannels,
        kernel,
        1,
        Math.floor(kernel / 2),
      );
    const branches = [
      conv("1x1", input, conv1x1, 1),
      conv("3x3", conv("3x3_reduce", input, reduce3x3, 1), conv3x3, 3),
      conv("5x5", conv("5x5_reduce", input, reduce5x5, 1), conv5x5, 5),
      conv("pool_proj", this.pool(`${block}/pool`, input, 3, 1, 1), poolProjection, 1),
    ];
    this.current = this.add(`${block}/output`, { type: "concat", axis: 1 }, branches);
  }

  maxPool(name: string): void {
    this.current = this.pool(name, this.current, 3, 2, 0);
  }

  classifier(paperSize: boolean): void {
    const pool: Op = paperSize
      ? { type: "pool_avg", ...squareWindow(7), rounding: "ceil", countPadding: true }
      : { type: "pool_global_avg" };
    const features = this.add("pool5/7x7_s1", pool, [this.current]);
    const kept = this.add("pool5/drop_7x7_s1", { type: "dropout", ratio: 0.4 }, [features]);
    const logits = this.fullyConnected("loss3/classifier", kept, classCount);
    this.add("prob", { type: "softmax", axis: 1 }, [logits]);
  }

  /** Hangs an auxiliary classifier (paper, section 5) off the trunk, which goes on where it was. */
  auxiliaryHead(head: "loss1" | "loss2"): void {
    const pooled = this.add(
      `${head}/ave_pool`,
      { type: "pool_avg", ...squareWindow(5, 3), rounding: "ceil", countPadding: true },
      [this.current],
    );
    const features = this.convolution(`${head}/conv`, `${head}/relu_conv`, pooled, 128, 1);
    const hidden = this.fullyConnected(`${head}/fc`, features, 1024, `${head}/relu_fc`);
    const kept = this.add(`${head}/drop_fc`, { type: "dropout", ratio: 0.7 }, [hidden]);
    const logits = this.fullyConnected(`${head}/classifier`, kept, classCount);
    this.add(`${head}/prob`, { type: "softmax", axis: 1 }, [logits]);
  }

  private normalise(name: string): void {
    this.current = this.add(name, { type: "lrn", size: 5, alpha: 1e-4, beta: 0.75, k: 1 }, [this.current]);
  }

  private pool(name: string, input: ValueId, kernel: number, stride: number, pad: number): ValueId {
    return this.add(name, { type: "pool_max", ...squareWindow(kernel, stride, pad), rounding: "ceil" }, [input]);
  }

  private convolution(
    name: string,
    reluName: string,
    input: ValueId,
    outChannels: number,
    kernel: number,
    stride = 1,
    pad = 0,
  ): ValueId {
    const op: Op = { type: "conv", ...squareWindow(kernel, stride, pad), outChannels, groups: 1, bias: true };
    this.nodes.push({ name, op, inputs: [input], output: beforeRelu(name) });
    this.nodes.push({ name: reluName, op: { type: "relu" }, inputs: [beforeRelu(name)], output: name });
    return name;
  }

  private fullyConnected(name: string, input: ValueId, outFeatures: number, reluName?: string): ValueId {
    const op: Op = { type: "fully_connected", outFeatures, bias: true };
    if (reluName === undefined) return this.add(name, op, [input]);
    this.nodes.push({ name, op, inputs: [input], output: beforeRelu(name) });
    this.nodes.push({ name: reluName, op: { type: "relu" }, inputs: [beforeRelu(name)], output: name });
    return name;
  }

  private add(name: string, op: Op, inputs: readonly ValueId[]): ValueId {
    this.nodes.push({ name, op, inputs, output: name });
    return name;
  }
}

/** Caffe's ReLUs work in place, so a layer's blob is what follows its ReLU; the sums before it need another name. */
export function beforeRelu(layer: string): ValueId {
  return `${layer}.linear`;
}

function checkSize(graph: Graph, height: number, width: number): void {
  const subject = `input size ${height}×${width}`;
  if (![height, width].every((extent) => Number.isSafeInteger(extent) && extent >= 1)) {
    throw new EngineError("usage", subject, "it is not two whole numbers from 1", "give height and width in pixels");
  }
  try {
    const { shapes } = inferShapesForBatch(graph, 1);
    const pooled = shapes.get("loss1/ave_pool");
    if (pooled && (pooled[2] !== 4 || pooled[3] !== 4)) {
      throw new EngineError(
        "usage",
        subject,
        `the auxiliary heads were trained on 4×4 pooled maps and would get ${pooled[2]}×${pooled[3]}`,
        "use 224×224, or the main head alone",
      );
    }
  } catch (error) {
    if (error instanceof EngineError && error.code === "graph") {
      throw new EngineError(
        "usage",
        subject,
        `too small for GoogLeNet (${error.message.slice(0, -`; ${error.remedy}`.length)})`,
        "use a larger input",
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}
