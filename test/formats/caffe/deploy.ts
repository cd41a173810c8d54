/** Graphs written as Caffe's networks for deployment, in the new style and the old: ReLU and dropout in place. */

import type { Graph, Node } from "../../../src/graph/graph.ts";
import type { Window } from "../../../src/graph/ops/window.ts";

const oldNames: Readonly<Record<string, string>> = {
  Concat: "CONCAT",
  Convolution: "CONVOLUTION",
  Dropout: "DROPOUT",
  InnerProduct: "INNER_PRODUCT",
  LRN: "LRN",
  Pooling: "POOLING",
  ReLU: "RELU",
  Softmax: "SOFTMAX",
};

export function toPrototxt(graph: Graph, { old = false } = {}): string {
  const [{ name, shape }] = graph.inputs;
  const extents = [10, ...shape.slice(1)];
  const input = old
    ? [`input: "${name}"`, ...extents.map((extent) => `input_dim: ${extent}`)].join("\n")
    : `layer { name: "${name}" type: "Input" top: "${name}" input_param { shape: { ${extents.map((each) => `dim: ${each}`).join(" ")} } } }`;
  const layers = graph.nodes.map((node) => {
    const [type, parameters] = describe(node);
    // What a ReLU takes is called as what it gives.
    const blob = (id: string) => id.replace(/\.linear$/, "");
    const bottoms = node.inputs.map((id) => `bottom: "${blob(id)}"`).join(" ");
    const written = old ? oldNames[type] : `"${type}"`;
    return `${old ? "layers" : "layer"} {\n  name: "${node.name}" type: ${written} ${bottoms} top: "${blob(node.output)}" # ${type}\n  ${parameters}\n}`;
  });
  return `name: "${graph.name}"\n${input}\n${layers.join("\n")}\n`;
}

function describe({ op }: Node): [type: string, parameters: string] {
  switch (op.type) {
    case "conv":
      return [
        "Convolution",
        `convolution_param { num_output: ${op.outChannels} group: ${op.groups} ${window(op)} weight_filler { type: "xavier" } }`,
      ];
    case "pool_max":
      return ["Pooling", `pooling_param { pool: MAX ${window(op)} }`];
    case "pool_avg":
      return ["Pooling", `pooling_param { pool: AVE ${window(op)} }`];
    case "pool_global_avg":
      return ["Pooling", `pooling_param { pool: AVE global_pooling: true }`];
    case "relu":
      return ["ReLU", ""];
    case "lrn":
      return ["LRN", `lrn_param { local_size: ${op.size} alpha: ${op.alpha} beta: ${op.beta} k: ${op.k} }`];
    case "concat":
      return ["Concat", `concat_param { axis: ${op.axis} }`];
    case "dropout":
      return ["Dropout", `dropout_param { dropout_ratio: ${op.ratio} }`];
    case "fully_connected":
      return ["InnerProduct", `inner_product_param { num_output: ${op.outFeatures} }`];
    case "softmax":
      return ["Softmax", ""];
    default:
      throw new Error(`no Caffe layer for ${op.type}`);
  }
}

function window({ kernel, stride, pad }: Window): string {
  return `kernel_size: ${kernel[0]} stride: ${stride[0]} pad: ${pad.top}`;
}
