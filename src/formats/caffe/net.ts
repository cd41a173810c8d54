/**
 * Caffe's networks: a .prototxt, with the learned blobs of a .caffemodel, as a Model. Layers are those of the phase
 * TEST, in the new style (`layer`) or the old (`layers`); what only serves training (losses, accuracy) is left out, and
 * what a data layer would read is an input. Source: BVLC/caffe, src/caffe/proto/caffe.proto and src/caffe/net.cpp.
 */

import { EngineError } from "../../errors.ts";
import { foldScales } from "../../graph/fold.ts";
import {
  type Graph,
  type GraphInput,
  type Node,
  type Parameter,
  subgraphFor,
  type ValueId,
} from "../../graph/graph.ts";
import type { Model } from "../../graph/model.ts";
import { inferOp, type Op } from "../../graph/ops.ts";
import { formatShape, sameShape, type Shape, type Tensor } from "../../graph/tensor.ts";
import type { Weights } from "../../graph/weights.ts";
import { boundExtent, checkOverrides, type ModelFile, type ModelOptions } from "../model-file.ts";
import { MalformedFile } from "../protobuf.ts";
import { readPrototxt, type TextMessage } from "../prototxt.ts";
import { type Blob, type Layer, layerTypes, oldTypes } from "./layers.ts";

/** Learned blobs by `LAYER.weight`, `LAYER.bias`, `LAYER.blob2`, as `readCaffemodel` gives them; or what makes them up. */
export type LearnedBlobs = Weights | ((parameters: readonly Parameter[]) => Weights);

/** Layers whose tops are read from somewhere. */
const dataLayers = ["Data", "DummyData", "HDF5Data", "ImageData", "MemoryData", "WindowData"];
/** Layers that only serve training and testing. */
const left = [
  "Accuracy",
  "ContrastiveLoss",
  "EuclideanLoss",
  "HingeLoss",
  "InfogainLoss",
  "MultinomialLogisticLoss",
  "SigmoidCrossEntropyLoss",
  "Silence",
  "SoftmaxWithLoss",
];

const BATCH = "N";
const MAX_LAYERS = 65_536;
const MAX_AXES = 8;

/**
 * Reads a network.
 *
 * @param text the .prototxt
 * @param learned the blobs of its layers; further ones are left alone, as Caffe does
 * @param name what to call it in errors
 *
 * Rejects with EngineError "model" for a text that is damaged or uses what is not supported, "weights" for blobs that
 * are missing or don't fit, "usage" for free dimensions or outputs that it doesn't have.
 *
 * @example
 * ```ts
 * import { readCaffemodel, readCaffeNet } from "googlenet-wgsl";
 *
 * const [text, learned] = await Promise.all(["/deploy.prototxt", "/net.caffemodel"].map((path) => fetch(path)));
 * const { tensors } = readCaffemodel(new Uint8Array(await learned.arrayBuffer()), "net.caffemodel");
 * const { graph } = await readCaffeNet(await text.text(), tensors, "deploy.prototxt");
 * console.log(graph.inputs, graph.outputs);
 * ```
 */
export async function readCaffeNet(
  text: string,
  learned: LearnedBlobs,
  name: string,
  options: ModelOptions = {},
): Promise<Model> {
  return new CaffeNet(text, learned, name).model(options);
}

/** A layer as it is written, with what every layer has. */
interface Description {
  readonly name: string;
  readonly type: string;
  readonly bottoms: readonly string[];
  readonly tops: readonly string[];
  readonly message: TextMessage;
}

export class CaffeNet implements ModelFile {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly ValueId[];
  /** Their names are Caffe's; a blob that layers compute in place is what the last of them made. */
  readonly blobs: readonly ValueId[];
  readonly batch: string | undefined;
  private readonly network: string;
  private readonly layers: readonly Description[];
  private readonly learned: LearnedBlobs;

  /** @throws EngineError "model" */
  constructor(text: string, learned: LearnedBlobs, name: string) {
    this.name = name;
    this.learned = learned;
    const { network, inputs, layers } = this.guard(() => readNet(readPrototxt(text, "the network")));
    this.network = network === "" ? name : network;
    this.inputs = inputs;
    this.layers = layers;
    this.batch = inputs.some(({ shape }) => shape[0] === BATCH) ? BATCH : undefined;
    this.outputs = unusedTops(inputs, layers);
    this.blobs = this.guard(() =>
      this.namedTops()
        .flat()
        .concat(inputs.map((input) => input.name)),
    );
  }

  /** See `readCaffeNet`. */
  // eslint-disable-next-line @typescript-eslint/require-await -- so that errors reject
  async model({ freeDimensionOverrides = {}, outputs = this.outputs }: ModelOptions = {}): Promise<Model> {
    checkOverrides(this, freeDimensionOverrides);
    return this.guard(() => this.translate(freeDimensionOverrides, outputs));
  }

  private translate(overrides: Readonly<Record<string, number>>, outputs: readonly ValueId[]): Model {
    const stays = Object.hasOwn(overrides, BATCH) ? undefined : BATCH;
    const inputs = this.inputs.map((input) => ({
      name: input.name,
      shape: input.shape.map((extent) => (extent === stays ? extent : boundExtent(input, extent, overrides))),
    }));
    // What Caffe's layers do depends on no batch size; the shapes of one stand for those of all.
    const batch = stays === undefined ? overrides[BATCH] : 1;
    const current = new Map<string, Blob>(
      inputs.map(({ name, shape }) => [
        name,
        { id: name, shapes: [shape.map((extent) => (typeof extent === "number" ? extent : batch))] },
      ]),
    );
    const builder = new Builder(this.learned instanceof Function ? null : this.learned);
    const tops = this.namedTops();
    this.layers.forEach((description, index) => {
      const { name, type, message, bottoms } = description;
      const inputsOf = bottoms.map(
        (bottom) => current.get(bottom) ?? message.wrong(`nothing before it makes "${bottom}"`),
      );
      try {
        const made = this.guard(() => builder.layer(name, message, inputsOf, tops[index], type));
        description.tops.forEach((top, place) => current.set(top, made[place]));
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        const shapes = Object.fromEntries(inputsOf.map(({ id, shapes: [shape] }) => [id, shape]));
        if (error.code !== "graph") throw error.concerning({ layer: name, shapes });
        const problem = `layer "${name}" (${type}): ${error.problem}`;
        throw new EngineError("model", this.name, problem, error.remedy, { layer: name, shapes });
      }
    });
    const known = new Set(this.blobs);
    for (const id of outputs) {
      if (!known.has(id)) throw new EngineError("usage", `blob "${id}"`, `${this.name} has none`, "name another");
    }
    const graph: Graph = { name: this.network, inputs, nodes: builder.nodes, outputs };
    const weights = this.learned instanceof Function ? this.learned(builder.parameters) : builder.weights;
    return foldScales({ graph: subgraphFor(graph, outputs), weights });
  }

  /** What each layer's tops are called: a blob's name goes to the last that is made under it. */
  private namedTops(): string[][] {
    const times = new Map<string, number>();
    for (const { tops } of this.layers) for (const top of tops) times.set(top, (times.get(top) ?? 0) + 1);
    const inputs = new Set(this.inputs.map((input) => input.name));
    const taken = new Set([...inputs, ...times.keys()]);
    return this.layers.map(({ name, type, tops }) =>
      tops.map((top) => {
        const later = times.get(top)! - 1;
        times.set(top, later);
        if (later === 0 && !inputs.has(top)) return top;
        const linear = type === "Convolution" || type === "InnerProduct";
        let id = linear ? `${top}.linear` : `${top}.${name}`;
        for (let count = 2; taken.has(id); count++) id = `${top}.${name}.${count}`;
        taken.add(id);
        return id;
      }),
    );
  }

  private guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof MalformedFile)) throw error;
      const { message, layer } = error;
      const concern = layer === undefined ? {} : { layer };
      throw new EngineError("model", this.name, message, "correct the text, or use another layer", concern);
    }
  }
}

/** Nodes with their parameters as layers make them. */
class Builder {
  readonly nodes: Node[] = [];
  readonly parameters: Parameter[] = [];
  readonly weights = new Map<string, Tensor>();
  private readonly learned: Weights | null;

  constructor(learned: Weights | null) {
    this.learned = learned;
  }

  /** The tops of a layer, to be called so. */
  layer(name: string, message: TextMessage, bottoms: readonly Blob[], ids: readonly string[], type: string): Blob[] {
    if (type === "Split") {
      if (bottoms.length !== 1) message.wrong(`it has ${bottoms.length} bottoms instead of 1`);
      return ids.map((id, index) => this.add(`${name}.${index}`, { type: "identity" }, bottoms, id));
    }
    const translate = layerTypes.get(type)!;
    if (ids.length !== 1) message.wrong(`it has ${ids.length} tops instead of 1`);
    const { learned } = this;
    const layer: Layer = {
      name,
      message,
      bottoms,
      learned: learned ? (index) => learnedBlob(learned, name, index) : null,
      output: (op, inputs, parameters = []) => this.add(name, op, inputs, ids[0], parameters),
      part: (part, op, inputs) => this.add(`${name}.${part}`, op, inputs, `${ids[0]}.${part}`),
    };
    const blob = translate(layer);
    message.close();
    return [blob];
  }

  private add(name: string, op: Op, inputs: readonly Blob[], output: string, given: readonly Tensor[] = []): Blob {
    const { output: shape, parameters } = inferOp(
      name,
      op,
      inputs.map(({ shapes: [first] }) => first),
    );
    for (const [index, { role, shape: wanted }] of parameters.entries()) {
      const key = `${name}.${role}`;
      this.parameters.push({ name: key, shape: wanted });
      if (!this.learned) continue;
      const tensor = given[index];
      if (!sameShape(tensor.shape, wanted)) {
        const problem = `its shape is ${formatShape(tensor.shape)} where the network has ${formatShape(wanted)}`;
        throw new EngineError("weights", `weight "${key}"`, problem, "use weights of this very network", {
          layer: name,
          shapes: { given: tensor.shape, expected: wanted },
        });
      }
      this.weights.set(key, tensor);
    }
    this.nodes.push({ name, op, inputs: inputs.map(({ id }) => id), output });
    return { id: output, shapes: [shape] };
  }
}

function learnedBlob(learned: Weights, name: string, index: number): Tensor {
  const key = `${name}.${["weight", "bias"][index] ?? `blob${index}`}`;
  const tensor = learned.get(key);
  if (!tensor) {
    throw new EngineError("weights", `weight "${key}"`, "it is missing", "use weights of this very network", {
      layer: name,
    });
  }
  return tensor;
}

function readNet(net: TextMessage): { network: string; inputs: GraphInput[]; layers: Description[] } {
  net.ignore("force_backward", "debug_info");
  const network = net.string("name") ?? "";
  const state = readState(net.message("state"));
  const inputs = headInputs(net);
  const [fresh, old] = [net.messages("layer"), net.messages("layers")];
  net.close();
  if (fresh.length > 0 && old.length > 0) net.wrong("it has layers of both styles");
  const messages = fresh.length > 0 ? fresh : old;
  if (messages.length === 0) net.wrong("it has no layers");
  if (messages.length > MAX_LAYERS) net.wrong(`it has more than ${MAX_LAYERS} layers`);
  const layers: Description[] = [];
  const made = new Set(inputs.map((input) => input.name));
  const names = new Set<string>();
  for (const message of messages) {
    const layer = readLayer(message, old.length > 0);
    if (!isIncluded(message, state)) continue;
    const { type, tops, bottoms, name } = layer;
    const sources = type === "Input" || dataLayers.includes(type) ? sourcesOf(layer) : undefined;
    for (const top of tops) {
      if (made.has(top) && !bottoms.includes(top) && !left.includes(type)) message.wrong(`it makes "${top}" again`);
      made.add(top);
    }
    if (sources) {
      inputs.push(...sources);
    } else if (!left.includes(type)) {
      if (type !== "Split" && !layerTypes.has(type)) {
        message.wrong(
          `its type ${type} isn't supported; those that are: ${[...layerTypes.keys()].join(", ")}, Input, Split`,
        );
      }
      if (names.has(name)) message.wrong("another layer has its name");
      names.add(name);
      layers.push(layer);
    }
  }
  if (inputs.length === 0) net.wrong("it has no input");
  return { network, inputs, layers };
}

function readLayer(message: TextMessage, old: boolean): Description {
  const name = message.string("name") ?? "";
  message.subject = `layer "${name}"`;
  message.layer = name;
  const written = message.word("type") ?? message.wrong("it has no type");
  const type = old ? oldTypes.get(written) : written;
  if (type === undefined) {
    message.wrong(`its type ${written} isn't supported; those that are: ${[...oldTypes.keys()].join(", ")}`);
  }
  message.subject = `layer "${name}" (${written})`;
  const [bottoms, tops] = [message.strings("bottom"), message.strings("top")];
  // How it learns.
  message.ignore("param", "blobs_lr", "weight_decay", "loss_weight", "propagate_down", "phase", "include", "exclude");
  return { name, type, bottoms, tops, message };
}

interface State {
  readonly phase: string;
  readonly level: number;
  readonly stages: readonly string[];
}

function readState(message: TextMessage): State {
  // Whatever phase the file was last used in, this is inference.
  message.ignore("phase");
  const state = { phase: "TEST", level: message.number("level") ?? 0, stages: message.strings("stage") };
  message.close();
  return state;
}

/** By the layer's rules: any of `include`, none of `exclude`. */
function isIncluded(message: TextMessage, state: State): boolean {
  const [include, exclude] = [message.messages("include"), message.messages("exclude")];
  if (include.length > 0 && exclude.length > 0) message.wrong("it has both include and exclude");
  const rules = [...include, ...exclude].map((rule) => meets(rule, state));
  if (include.length > 0) return rules.some(Boolean);
  return !rules.some(Boolean) && message.choice("phase", ["TRAIN", "TEST"], "TEST") === "TEST";
}

function meets(rule: TextMessage, { phase, level, stages }: State): boolean {
  const wanted = rule.choice("phase", ["TRAIN", "TEST"], phase as "TEST");
  const [least, most] = [rule.number("min_level") ?? -Infinity, rule.number("max_level") ?? Infinity];
  const [all, none] = [rule.strings("stage"), rule.strings("not_stage")];
  rule.close();
  return (
    wanted === phase &&
    level >= least &&
    level <= most &&
    all.every((stage) => stages.includes(stage)) &&
    !none.some((stage) => stages.includes(stage))
  );
}

/** Inputs at the head of the file, as networks for deployment had them at first. */
function headInputs(net: TextMessage): GraphInput[] {
  const names = net.strings("input");
  const shapes = net.messages("input_shape").map(readShape);
  const dimensions = net.sizes("input_dim");
  if (shapes.length > 0 && dimensions.length > 0) net.wrong("it has both input_shape and input_dim");
  if (dimensions.length > 0) {
    for (let start = 0; start < dimensions.length; start += 4) shapes.push(dimensions.slice(start, start + 4));
  }
  if (shapes.length !== names.length || shapes.some((shape) => dimensions.length > 0 && shape.length !== 4)) {
    net.wrong(`it has ${names.length} inputs and shapes for ${shapes.length}`);
  }
  return names.map((name, index) => openInput(net, name, shapes[index]));
}

/** The inputs that a layer stands for: a data layer's labels are none. */
function sourcesOf({ type, tops, bottoms, message }: Description): GraphInput[] {
  if (bottoms.length > 0) message.wrong("it has bottoms");
  if (type === "Input") {
    const parameters = message.message("input_param");
    const shapes = parameters.messages("shape").map(readShape);
    parameters.close();
    message.close();
    if (shapes.length !== 1 && shapes.length !== tops.length)
      message.wrong(`it has ${shapes.length} shapes for ${tops.length} tops`);
    return tops.map((top, index) => openInput(message, top, shapes[shapes.length === 1 ? 0 : index]));
  }
  // What it reads from where is all the same; only the size that it crops pictures to shapes the network.
  const [data] = tops;
  if (data === undefined) message.wrong("it has no top");
  const crop = [
    message.message("transform_param"),
    ...["data_param", "image_data_param", "window_data_param"].map((each) => message.message(each)),
  ]
    .map((parameters) => parameters.size("crop_size"))
    .find((size) => size !== undefined && size > 0);
  const side = (axis: number) => crop ?? `${data}[${axis}]`;
  return [{ name: data, shape: [BATCH, `${data}[1]`, side(2), side(3)] }];
}

function readShape(message: TextMessage): number[] {
  const shape = message.sizes("dim");
  message.close();
  return shape;
}

/** Caffe's networks take batches of any size, whatever the file says. */
function openInput(message: TextMessage, name: string, shape: Shape): GraphInput {
  if (shape.length === 0 || shape.length > MAX_AXES || shape.includes(0)) {
    return message.wrong(`its input "${name}" has the shape ${formatShape(shape)}`);
  }
  return { name, shape: [BATCH, ...shape.slice(1)] };
}

/** Blobs that no layer takes, as Caffe gives them back. */
function unusedTops(inputs: readonly GraphInput[], layers: readonly Description[]): string[] {
  const free = new Set<string>();
  for (const { bottoms, tops } of layers) {
    for (const bottom of bottoms) free.delete(bottom);
    for (const top of tops) free.add(top);
  }
  return free.size > 0 ? [...free] : inputs.map((input) => input.name);
}
