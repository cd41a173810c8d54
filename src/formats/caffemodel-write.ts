/** Writing .caffemodel files; see caffemodel.ts for the format. */

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineError } from "../errors.ts";
import { formatShape, type Tensor } from "../graph/tensor.ts";
import { BLOB, BLOB_SHAPE } from "./caffe-blob.ts";
import { INNER_PRODUCT, LAYER, NET, V1_LAYER, V1_TYPE } from "./caffemodel.ts";
import { safeElementCount } from "./extents.ts";
import { bytesFromFloats } from "./floats.ts";

/** How a caffemodel is written. */
export interface CaffemodelWriteOptions {
  /** Write the old encoding (`layers`, four axes everywhere), which Caffe upgrades when it reads it. */
  readonly legacy?: boolean;
}

interface Layer {
  weight?: Tensor;
  bias?: Tensor;
}

/**
 * Writes a network's tensors as a caffemodel: a layer for each name, `.weight` before `.bias`. Weights of four axes
 * make convolutions, those of two make fully connected layers.
 *
 * @param network the network's name
 * @throws EngineError "weights" for tensors that such a file has no place for
 */
export function writeCaffemodel(
  network: string,
  tensors: ReadonlyMap<string, Tensor>,
  { legacy = false }: CaffemodelWriteOptions = {},
): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(NET.name, WireType.LengthDelimited).string(network);
  for (const [name, layer] of groupByLayer(tensors)) {
    writer
      .tag(legacy ? NET.layers : NET.layer, WireType.LengthDelimited)
      .bytes(legacy ? oldLayer(name, layer) : newLayer(name, layer));
  }
  return writer.finish();
}

function groupByLayer(tensors: ReadonlyMap<string, Tensor>): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  for (const [key, tensor] of tensors) {
    const match = /^(.+)\.(weight|bias)$/s.exec(key);
    if (match === null) throw misplaced(key, "is neither a .weight nor a .bias");
    if (safeElementCount(tensor.shape) !== tensor.data.length) {
      throw misplaced(key, `has ${tensor.data.length} elements, not those of ${formatShape(tensor.shape)}`);
    }
    const [, name, role] = match;
    const ranks = role === "bias" ? [1] : [2, 4];
    if (!ranks.includes(tensor.shape.length)) {
      throw misplaced(key, `has ${tensor.shape.length} axes, not ${ranks.join(" or ")}`);
    }
    const layer = layers.get(name) ?? {};
    layer[role as keyof Layer] = tensor;
    layers.set(name, layer);
  }
  for (const [name, { weight }] of layers) {
    if (weight === undefined) throw misplaced(`${name}.bias`, "has no weight beside it");
  }
  return layers;
}

function newLayer(name: string, layer: Layer): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(LAYER.name, WireType.LengthDelimited).string(name);
  writer.tag(LAYER.type, WireType.LengthDelimited).string(isInnerProduct(layer) ? INNER_PRODUCT : "Convolution");
  for (const { shape, data } of blobs(layer)) {
    const packedShape = new BinaryWriter();
    packedShape.tag(BLOB_SHAPE.dim, WireType.LengthDelimited).fork();
    for (const extent of shape) packedShape.int64(extent);
    packedShape.join();
    const blob = new BinaryWriter();
    blob.tag(BLOB.data, WireType.LengthDelimited).bytes(bytesFromFloats(data));
    blob.tag(BLOB.shape, WireType.LengthDelimited).bytes(packedShape.finish());
    writer.tag(LAYER.blobs, WireType.LengthDelimited).bytes(blob.finish());
  }
  return writer.finish();
}

function oldLayer(name: string, layer: Layer): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(V1_LAYER.name, WireType.LengthDelimited).string(name);
  writer.tag(V1_LAYER.type, WireType.Varint).int32(isInnerProduct(layer) ? V1_TYPE.innerProduct : V1_TYPE.convolution);
  for (const { shape, data } of blobs(layer)) {
    const blob = new BinaryWriter();
    const extents = [...new Array<number>(4 - shape.length).fill(1), ...shape];
    for (const [axis, extent] of extents.entries()) blob.tag(BLOB.num + axis, WireType.Varint).int64(extent);
    blob.tag(BLOB.data, WireType.LengthDelimited).bytes(bytesFromFloats(data));
    writer.tag(V1_LAYER.blobs, WireType.LengthDelimited).bytes(blob.finish());
  }
  return writer.finish();
}

function isInnerProduct({ weight }: Layer): boolean {
  return weight?.shape.length === 2;
}

function blobs({ weight, bias }: Layer): Tensor[] {
  return [weight, bias].filter((tensor) => tensor !== undefined);
}

function misplaced(subject: string, problem: string): EngineError {
  return new EngineError("weights", subject, `${problem}, so a caffemodel has no place for it`, "write .safetensors");
}
