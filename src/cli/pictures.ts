/** The pictures that a command was given, as the network takes them, decoded a little ahead of their use. */

import { availableParallelism } from "node:os";
import { EngineError } from "../errors.ts";
import { INPUT_SIDE, preprocess, type Recipe } from "../image/preprocess.ts";
import { decodeImage, readPictureStream } from "../node/decode.ts";
import { listImages, STANDARD_INPUT } from "../node/list-images.ts";
import { ahead } from "./ahead.ts";

/** Elements of one picture's tensor. */
export const PICTURE_ELEMENTS = 3 * INPUT_SIDE * INPUT_SIDE;

/** A picture's tensor (3, 224, 224), or why there is none. */
export type Picture =
  { readonly name: string; readonly data: Float32Array } | { readonly name: string; readonly error: EngineError };

/** What was found without opening a picture. */
export interface Survey {
  readonly pictures: number;
  /** Folders, and how many of their files are pictures and how many not. */
  readonly folders: readonly { readonly name: string; readonly pictures: number; readonly passedOver: number }[];
  /** Paths that give no picture. */
  readonly unusable: number;
}

/** Looks through the folders once. */
export async function survey(paths: readonly string[]): Promise<Survey> {
  let pictures = 0;
  let unusable = 0;
  const folders: { name: string; pictures: number; passedOver: number }[] = [];
  for await (const image of listImages(paths)) {
    if (image.kind === "folder") folders.push(image);
    else if (image.kind === "error") unusable++;
    else pictures++;
  }
  return { pictures, folders, unusable };
}

/** Decodes and preprocesses pictures in their order, up to `window` ahead of whoever takes them. */
export function pictures(paths: readonly string[], recipe: Recipe, window: number): AsyncIterable<Picture> {
  return ahead(listed(paths), (image) => prepare(image, recipe), {
    // More would only keep more large pictures in memory at once.
    workers: Math.min(availableParallelism(), 4),
    window,
  });
}

type Listed = { readonly name: string; readonly error?: EngineError };

async function* listed(paths: readonly string[]): AsyncGenerator<Listed, void, undefined> {
  for await (const image of listImages(paths)) {
    if (image.kind !== "folder") yield image;
  }
}

async function prepare({ name, error }: Listed, recipe: Recipe): Promise<Picture> {
  if (error) return { name, error };
  try {
    const data = new Float32Array(PICTURE_ELEMENTS);
    preprocess(await decodeImage(name === STANDARD_INPUT ? await readStandardInput() : name, name), recipe, data);
    return { name, data };
  } catch (reason) {
    if (reason instanceof EngineError) return { name, error: reason };
    throw reason;
  }
}

/** Standard input, to its end. */
async function readStandardInput(): Promise<Uint8Array> {
  if (process.stdin.isTTY) {
    throw new EngineError(
      "picture",
      STANDARD_INPUT,
      "standard input is a terminal",
      "pipe a picture in, or name its file",
    );
  }
  return readPictureStream(process.stdin, STANDARD_INPUT);
}
