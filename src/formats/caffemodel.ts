/**
 * Caffe's .caffemodel: a protobuf NetParameter whose layers carry their learned blobs, in the old encoding (`layers`,
 * V1LayerParameter) or the new one (`layer`, LayerParameter). Source: BVLC/caffe, src/caffe/proto/caffe.proto.
 *
 * Only names, types and blobs are read; the rest of the network's description is passed over.
 */

import type { BinaryReader } from "@bufbuild/protobuf/wire";
import { EngineError } from "../errors.ts";
import { formatShape, type Shape, type Tensor } from "../graph/tensor.ts";
import { type Blob, readBlob } from "./caffe-blob.ts";
import type { FloatType } from "./floats.ts";
import { MalformedFile, MessageReader, WireType } from "./protobuf.ts";

/** Field numbers of caffe.proto. */
export const NET = { name: 1, layers: 2, layer: 100 } as const;
export const V1_LAYER = { name: 4, type: 5, blobs: 6 } as const;
export const LAYER = { name: 1, type: 2, blobs: 7 } as const;
/** V1LayerParameter.LayerType */
export const V1_TYPE = { convolution: 4, innerProduct: 14 } as const;
export const INNER_PRODUCT = "InnerProduct";

/** More than any network has: a bound on what an invented file can make us do. */
const MAX_LAYERS = 65_536;
const MAX_BLOBS_PER_LAYER = 16;

/** What a caffemodel holds. */
export interface Caffemodel {
  /** The network's own name; empty where it has none. */
  readonly network: string;
  /**
   * By layer name: the first blob is `.weight`, the second `.bias`, further ones `.blob2`, `.blob3`, …. Convolutions are
   * O, I, H, W, fully connected layers O, I, biases O, whichever of Caffe's encodings the file has.
   */
  readonly tensors: Map<string, Tensor>;
  /** The type that each tensor has in the file. */
  readonly types: Map<string, FloatType>;
}

interface Layer {
  name: string;
  innerProduct: boolean;
  readonly blobs: Blob[];
}

/**
 * Reads the learned tensors of every layer, auxiliary heads included.
 *
 * @param bytes the whole file; the tensors are copies
 * @param name what to call it in errors
 * @throws EngineError "weights"
 */
export function readCaffemodel(bytes: Uint8Array, name: string): Caffemodel {
  try {
    return readNet(bytes);
  } catch (error) {
    if (error instanceof MalformedFile) {
      throw new EngineError(
        "weights",
        name,
        `is not a sound caffemodel: ${error.message}`,
        "fetch or convert the file again (for one from before 2014, run Caffe's upgrade_net_proto_binary)",
      );
    }
    throw error;
  }
}

function readNet(bytes: Uint8Array): Caffemodel {
  const message = new MessageReader(bytes);
  let network = "";
  let layers = 0;
  const model = { tensors: new Map<string, Tensor>(), types: new Map<string, FloatType>() };
  message.forEachField((field, wireType, reader) => {
    if (field === NET.name && wireType === WireType.LengthDelimited) {
      network = message.string(reader);
    } else if ((field === NET.layers || field === NET.layer) && wireType === WireType.LengthDelimited) {
      if (++layers > MAX_LAYERS) throw new MalformedFile(`it has more than ${MAX_LAYERS} layers`);
      addTensors(model, readLayer(message.nested(reader), field === NET.layers));
    } else {
      return false;
    }
    return true;
  });
  if (model.tensors.size === 0) throw new MalformedFile("no layer in it has weights");
  return { network, ...model };
}

function readLayer(message: MessageReader, old: boolean): Layer {
  const fields = old ? V1_LAYER : LAYER;
  const layer: Layer = { name: "", innerProduct: false, blobs: [] };
  message.forEachField((field, wireType, reader) => {
    if (field === fields.name && wireType === WireType.LengthDelimited) {
      layer.name = message.string(reader);
    } else if (field === fields.type && wireType === (old ? WireType.Varint : WireType.LengthDelimited)) {
      layer.innerProduct = isInnerProduct(message, reader, old);
    } else if (field === fields.blobs && wireType === WireType.LengthDelimited) {
      if (layer.blobs.length >= MAX_BLOBS_PER_LAYER) {
        throw new MalformedFile(`a layer has more than ${MAX_BLOBS_PER_LAYER} blobs`);
      }
      layer.blobs.push(readBlob(message.nested(reader)));
    } else {
      return false;
    }
    return true;
  });
  return layer;
}

function isInnerProduct(message: MessageReader, reader: BinaryReader, old: boolean): boolean {
  return old ? reader.int32() === V1_TYPE.innerProduct : message.string(reader) === INNER_PRODUCT;
}

function addTensors({ tensors, types }: Omit<Caffemodel, "network">, { name, innerProduct, blobs }: Layer): void {
  if (blobs.length > 0 && name === "") throw new MalformedFile("a layer with weights has no name");
  for (const [index, { shape, data, type }] of blobs.entries()) {
    const key = `${name}.${["weight", "bias"][index] ?? `blob${index}`}`;
    if (tensors.has(key)) throw new MalformedFile(`layer ${JSON.stringify(name)} has weights twice`);
    tensors.set(key, { shape: normaliseShape(shape, index, innerProduct, key), data });
    types.set(key, type);
  }
}

/** Old files pad every shape with leading ones to four axes. */
function normaliseShape(shape: Shape, index: number, innerProduct: boolean, key: string): Shape {
  const significant = index === 1 ? 1 : index === 0 && innerProduct ? 2 : shape.length;
  const padding = shape.slice(0, shape.length - significant);
  if (shape.length < significant || padding.some((extent) => extent !== 1)) {
    throw new MalformedFile(`${key} has the shape ${formatShape(shape)}, which is not ${significant}-dimensional`);
  }
  return shape.slice(padding.length);
}
