/**
 * ONNX files: bytes in, a Model out, with every shape known but for the batch size. Anything whose meaning isn't
 * certain is refused with the node's name before anything runs.
 */

import { EngineError } from "../../errors.ts";
import { foldScales } from "../../graph/fold.ts";
import { type Graph, type GraphInput, subgraphFor, type ValueId } from "../../graph/graph.ts";
import type { Model } from "../../graph/model.ts";
import type { FloatType } from "../floats.ts";
import { boundExtent, checkOverrides, type ModelFile, type ModelOptions } from "../model-file.ts";
import { looksLikeText } from "../prototxt.ts";
import { MalformedFile } from "../protobuf.ts";
import { type Constant, constant, Folding } from "./constants.ts";
import { Layer, Translation } from "./layer.ts";
import { NEWEST_OPSET, operators } from "./operators.ts";
import { type ModelProto, type NodeProto, readModel } from "./proto.ts";
import { elementsOf, isFloat, rawLength, type TensorProto, typeName } from "./tensor.ts";

/**
 * Fetches data that a model keeps in another file.
 *
 * @param location the file's path from the model's folder, which it does not leave
 * @param offset the first byte that is needed
 * @param length how many are
 */
export type ExternalFiles = (location: string, offset: number, length: number) => Uint8Array | Promise<Uint8Array>;

/** What an ONNX file's model is bound to, what it is to give, and how to get at data beside the file. */
export interface OnnxOptions extends ModelOptions {
  /** Where the data of tensors outside the file come from. Without it such a file is refused. */
  readonly external?: ExternalFiles;
}

/** How a graph calls the extent that stays open. */
const BATCH = "N";
/**
 * Batch sizes by which what depends on the batch is told from what doesn't. The first two are primes, and no extents
 * that layers have, so that nothing fits by accident. The others show what ends somewhere, such as a slice of the first
 * few images: one is the smallest batch there is, the other a prime larger than any.
 */
const PROBES = [7, 11, 1, 1_048_583];
/** Memory that constants may take beside twice the file's size. */
const SPARE_BYTES = 2 ** 24;

/**
 * Reads a model.
 *
 * @param bytes the whole file; weights may share its memory
 * @param name what to call it in errors
 *
 * Rejects with EngineError "model" for a file that is damaged or uses what is not supported, "usage" for free
 * dimensions or outputs that it doesn't have.
 *
 * @example
 * ```ts
 * import { readOnnx } from "googlenet-wgsl";
 *
 * const bytes = new Uint8Array(await (await fetch("/squeezenet.onnx")).arrayBuffer());
 * const { graph, weights } = await readOnnx(bytes, "squeezenet.onnx");
 * console.log(graph.inputs, graph.outputs, weights.size);
 * ```
 */
export async function readOnnx(bytes: Uint8Array, name: string, options: OnnxOptions = {}): Promise<Model> {
  return new OnnxFile(bytes, name, options.external).model(options);
}

/** A file that is read, but not yet understood: what it takes and gives. */
export class OnnxFile implements ModelFile {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly ValueId[];
  /** The first extent of some input, or else any. */
  readonly batch: string | undefined;
  private readonly external: ExternalFiles | undefined;
  /** Data of other files by where they lie, fetched once however often the model is bound. */
  private readonly ranges = new Map<string, Promise<Uint8Array>>();
  private readonly size: number;
  private readonly isText: boolean;
  private readonly proto: ModelProto;
  private readonly opset: number;

  /** @throws EngineError "model" */
  constructor(bytes: Uint8Array, name: string, external?: ExternalFiles) {
    this.name = name;
    this.external = external;
    this.size = bytes.length;
    this.isText = looksLikeText(bytes) && beginsAsUtf8(bytes);
    const { proto, inputs } = this.guard(() => {
      const model = readModel(bytes);
      return { proto: model, inputs: inputsOf(model) };
    });
    this.proto = proto;
    this.inputs = inputs;
    this.outputs = [...new Set(proto.graph.outputs.map((output) => output.name))];
    if (this.outputs.length === 0) throw this.error("it gives nothing", "export it with an output");
    const open = (extents: readonly (number | string | undefined)[]) =>
      extents.find((each) => typeof each === "string");
    this.batch = open(inputs.map(({ shape: [first] }) => first)) ?? open(inputs.flatMap(({ shape }) => shape));
    this.opset = this.checkOpset();
    this.checkNodes();
  }

  /** The types of the real numbers that the file has as initializers. */
  get types(): FloatType[] {
    const names: Partial<Record<string, FloatType>> = { float: "F32", float16: "F16", double: "F64" };
    return [...new Set(this.proto.graph.initializers.flatMap(({ type }) => names[typeName(type)] ?? []))];
  }

  /** The inputs, and what the nodes make. */
  get blobs(): readonly ValueId[] {
    const made = this.proto.graph.nodes.flatMap((node) => node.outputs.slice(0, 1));
    return [...this.inputs.map((input) => input.name), ...made.filter((value) => value !== "")];
  }

  /** See `readOnnx`. */
  async model({ freeDimensionOverrides = {}, outputs = this.outputs }: ModelOptions = {}): Promise<Model> {
    checkOverrides(this, freeDimensionOverrides);
    const fetched = await this.fetch();
    return this.guard(() => this.translate(freeDimensionOverrides, outputs, fetched));
  }

  private checkOpset(): number {
    const { opsets, irVersion } = this.proto;
    // The first files knew of one set only.
    const opset = opsets.get("") ?? (irVersion < 3 ? 1 : 0);
    if (!Number.isInteger(opset) || opset < 1 || opset > NEWEST_OPSET) {
      const found = opset === 0 ? "names no operator set of ONNX's own" : `uses operator set ${opset}`;
      throw this.error(`it ${found}`, `export it with one from 1 to ${NEWEST_OPSET}`);
    }
    return opset;
  }

  /** Refuses ops that aren't known, before their shapes can be in the way. */
  private checkNodes(): void {
    for (const node of this.proto.graph.nodes) {
      if (node.domain === "" && operators.has(node.type)) continue;
      const type = node.domain === "" ? node.type : `${node.domain}.${node.type}`;
      throw this.error(
        `node "${nameOf(node)}" is ${type}, an op that isn't supported`,
        `supported are ${[...operators.keys()].join(", ")}`,
        nameOf(node),
      );
    }
  }

  private async fetch(): Promise<Map<TensorProto, Uint8Array>> {
    const fetched = new Map<TensorProto, Uint8Array>();
    for (const tensor of this.proto.graph.initializers) {
      if (!tensor.external) continue;
      const { location, offset, length } = tensor.external;
      const needed = this.guard(() => checkedLength(tensor, length));
      if (!this.external) {
        throw this.error(`its data lie in another file, ${location}`, "give a way to get that (the option external)");
      }
      fetched.set(tensor, await this.fetchRange(this.external, location, offset, needed));
    }
    return fetched;
  }

  /** Tensors that share their data share them in memory, too. What failed may be tried again. */
  private fetchRange(external: ExternalFiles, location: string, offset: number, length: number): Promise<Uint8Array> {
    const key = `${offset} ${length} ${location}`;
    const known = this.ranges.get(key);
    if (known) return known;
    const bytes = (async () => external(location, offset, length))();
    this.ranges.set(key, bytes);
    bytes.catch(() => this.ranges.delete(key));
    return bytes;
  }

  private translate(
    overrides: Readonly<Record<string, number>>,
    outputs: readonly ValueId[],
    fetched: ReadonlyMap<TensorProto, Uint8Array>,
  ): Model {
    const { nodes, initializers, name } = this.proto.graph;
    const stays = this.batch !== undefined && !Object.hasOwn(overrides, this.batch) ? this.batch : undefined;
    const inputs = this.inputs.map((input) => ({
      name: input.name,
      shape: input.shape.map((extent) => (extent === stays ? BATCH : boundExtent(input, extent, overrides))),
    }));
    const batches = stays === undefined ? [1] : PROBES;
    const fetchedBytes = [...new Set(fetched.values())].reduce((sum, { length }) => sum + length, 0);
    const folding = new Folding(2 * (this.size + fetchedBytes) + SPARE_BYTES, batches);
    const names = [
      ...inputs.map((input) => input.name),
      ...initializers.map((each) => each.name),
      ...nodes.flatMap((node) => node.outputs),
    ];
    const translation = new Translation(this.name, this.opset, batches, folding, names);
    const { values } = translation;
    for (const input of inputs) {
      const shapes = batches.map((batch) => input.shape.map((extent) => (extent === BATCH ? batch : extent)));
      values.set(input.name, { kind: "computed", id: input.name, shapes });
    }
    for (const tensor of initializers) {
      values.set(tensor.name, initializer(tensor, folding, fetched.get(tensor)));
    }
    for (const node of nodes) this.translateNode(translation, node);
    const given = outputs.map((id) => this.outputOf(translation, id));
    const graph: Graph = { name: name === "" ? this.name : name, inputs, nodes: translation.nodes, outputs: given };
    const model = foldScales({ graph: subgraphFor(graph, given), weights: translation.weights });
    return model;
  }

  private translateNode(translation: Translation, node: NodeProto): void {
    const [output = "", ...others] = node.outputs;
    const layer = new Layer(translation, node);
    if (output === "") layer.refuse("it gives nothing", "correct the model");
    if (translation.values.has(output)) layer.refuse(`"${output}" is made twice`, "correct the model");
    try {
      const value = operators.get(node.type)!(layer);
      layer.close();
      // An alias of a constant takes no node; one of a value goes by its own name.
      translation.values.set(output, value.kind === "constant" ? { ...value } : value);
    } catch (error) {
      if (error instanceof MalformedFile) layer.refuse(error.message, "correct the model");
      if (!(error instanceof EngineError) || error.code !== "graph") throw error;
      layer.refuse(error.problem, error.remedy);
    }
    for (const other of others) if (other !== "") translation.unmade.set(other, layer);
  }

  /** The id of a value that the model is to give. */
  private outputOf(translation: Translation, id: ValueId): ValueId {
    translation.unmade.get(id)?.refuse(`its output "${id}" isn't supported; only its first is`);
    const value = translation.values.get(id);
    if (!value) throw new EngineError("usage", `blob "${id}"`, `${this.name} has none`, "name another");
    if (value.kind === "constant" && !(isFloat(value.type) && value.variants.length === 1)) {
      throw this.error(`its output "${id}" is of type ${value.type}, not float`, "export the model without it");
    }
    return translation.operand(id, value).id;
  }

  /** Damage as an error that names the file. */
  private guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof MalformedFile)) throw error;
      if (this.isText) throw this.error("it is text, and not an ONNX file", "export or fetch the file again");
      throw this.error(error.message, "export or fetch the file again");
    }
  }

  private error(problem: string, remedy: string, layer?: string): EngineError {
    return new EngineError("model", this.name, problem, remedy, layer === undefined ? {} : { layer });
  }
}

/** Whether the first bytes are UTF-8: a message's lengths look like text to whoever only minds control characters. */
function beginsAsUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, 512), { stream: true });
    return true;
  } catch {
    return false;
  }
}

function nameOf({ name, outputs }: NodeProto): string {
  return name === "" ? (outputs[0] ?? "") : name;
}

/** What callers give: inputs that no initializer has a value for. */
function inputsOf({ graph }: ModelProto): GraphInput[] {
  const initialized = new Set(graph.initializers.map((tensor) => tensor.name));
  if (initialized.size !== graph.initializers.length) throw new MalformedFile("two initializers have one name");
  const seen = new Set<string>();
  return graph.inputs
    .filter(({ name }) => !initialized.has(name))
    .map(({ name, type, shape }) => {
      if (seen.has(name)) throw new MalformedFile(`it has the input "${name}" twice`);
      seen.add(name);
      if (type !== 1 && type !== 10) {
        const found = type === -1 ? "no tensor" : typeName(type);
        throw new MalformedFile(`its input "${name}" is ${found}; supported are float and float16`);
      }
      if (!shape) throw new MalformedFile(`it doesn't say how many axes its input "${name}" has`);
      return {
        name,
        shape: shape.map((extent, axis) => {
          if (typeof extent === "number" && extent < 1) {
            // Some exporters write what they don't know as 0 or -1.
            if (extent === 0 || extent === -1) return `${name}[${axis}]`;
            throw new MalformedFile(`its input "${name}" has the extent ${extent}`);
          }
          return extent ?? `${name}[${axis}]`;
        }),
      };
    });
}

function checkedLength(tensor: TensorProto, stated: number | undefined): number {
  const needed = rawLength(tensor);
  if (stated !== undefined && stated !== needed) {
    throw new MalformedFile(`tensor "${tensor.name}" has ${stated} bytes of data instead of ${needed}`);
  }
  return needed;
}

function initializer(tensor: TensorProto, folding: Folding, fetched: Uint8Array | undefined): Constant {
  const { type, shape, data } = elementsOf(tensor, (bytes) => folding.spend(bytes), fetched);
  return constant(type, shape, data);
}
