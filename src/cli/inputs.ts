/** What the network runs on where no pictures are to be labelled: the sample picture, another, noise, or an array. */

import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import type { Graph } from "../graph/graph.ts";
import { formatShape, type Tensor } from "../graph/tensor.ts";
import { INPUT_SIDE, preprocess } from "../image/preprocess.ts";
import { decodeImage } from "../node/decode.ts";
import { samplePicture } from "../node/package.ts";
import { fillWithNoise } from "../verify/noise.ts";
import type { Heads } from "./options.ts";
import { PICTURE_ELEMENTS } from "./pictures.ts";

/** A picture (the project's own unless named) as a batch of one, resized as Caffe usually does. */
export async function pictureTensor(file = samplePicture): Promise<Tensor> {
  const data = new Float32Array(PICTURE_ELEMENTS);
  preprocess(await decodeImage(file, file), "squash256", data);
  return { shape: [1, 3, INPUT_SIDE, INPUT_SIDE], data };
}

/** A batch that holds a picture, then noise that differs from image to image. */
export function batchOf(picture: Tensor, batch: number): Tensor {
  const data = new Float32Array(batch * PICTURE_ELEMENTS);
  data.set(picture.data);
  for (let image = 1; image < batch; image++) {
    fillWithNoise(data.subarray(image * PICTURE_ELEMENTS, (image + 1) * PICTURE_ELEMENTS), image);
  }
  return { shape: [batch, 3, INPUT_SIDE, INPUT_SIDE], data };
}

/**
 * GoogLeNet for images of the size that an array has.
 *
 * @throws EngineError "array" for an array that is no batch of images, or of images that are too small
 */
export function googLeNetFor({ shape }: Tensor, file: string, heads: Heads): Graph {
  const [, channels, height, width] = shape;
  if (shape.length !== 4 || channels !== 3 || shape[0] < 1) {
    throw new EngineError(
      "array",
      file,
      `its shape is ${formatShape(shape)}`,
      "give N×3×H×W: images of planes B, G, R less their means",
    );
  }
  try {
    return googLeNet({ heads, height, width });
  } catch (error) {
    // That the size fits no network is the file's fault, not the command line's.
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError("array", file, `${error.subject}: ${error.problem}`, error.remedy, {
      cause: error,
    });
  }
}

/** Refuses an input that the graph doesn't have. */
export function checkInputName(name: string, { inputs, name: graph }: Pick<Graph, "inputs" | "name">): void {
  const known = inputs.map((input) => input.name);
  if (!known.includes(name)) {
    throw new EngineError("usage", `--input ${name}`, `${graph} has no such input`, `give ${known.join(", ")}`);
  }
}
