/** The pictures that a command was given, made ready for a classifier, decoded a little ahead of their use. */

import { availableParallelism } from "node:os";
import { EngineError } from "../errors.ts";
import { INPUT_SIDE } from "../image/preprocess.ts";
import type { RgbImage } from "../image/resize.ts";
import { decodeImage, readPictureStream } from "../node/decode.ts";
import { type ListedImage, listImages, STANDARD_INPUT } from "../node/list-images.ts";
import { ahead } from "./ahead.ts";

/** Elements of one picture's tensor. */
export const PICTURE_ELEMENTS = 3 * INPUT_SIDE * INPUT_SIDE;

/** A picture made ready, or why there is none. */
export type Picture<Prepared> =
  { readonly name: string; readonly prepared: Prepared } | { readonly name: string; readonly error: EngineError };

/** A path that gives no picture. */
export interface Unusable {
  readonly name: string;
  readonly error: EngineError;
}

/** What was found without opening a picture. */
export interface Survey {
  readonly pictures: number;
  /** Folders, and how many of their files are no pictures. */
  readonly folders: readonly { readonly name: string; readonly passedOver: number }[];
  /** Paths that give no picture, and why. */
  readonly unusable: readonly Unusable[];
}

/** Looks through the folders once. */
export async function survey(paths: readonly string[]): Promise<Survey> {
  let pictures = 0;
  const unusable: Unusable[] = [];
  const folders: { name: string; passedOver: number }[] = [];
  for await (const image of listed(paths)) {
    if (image.kind === "folder") folders.push(image);
    else if (image.kind === "error") unusable.push(image);
    else pictures++;
  }
  return { pictures, folders, unusable };
}

/** Decodes pictures and makes them ready, in their order, up to `window` ahead of whoever takes them. */
export function pictures<Prepared>(
  paths: readonly string[],
  prepare: (image: RgbImage) => Prepared,
  window: number,
): AsyncIterable<Picture<Prepared>> {
  return ahead(sources(paths), (image) => decode(image, prepare), {
    // More would only keep more large pictures in memory at once.
    workers: Math.min(availableParallelism(), 4),
    window,
  });
}

/** What the paths mean; a folder that holds no picture is an error like any path that gives none. */
async function* listed(paths: readonly string[]): AsyncGenerator<ListedImage, void, undefined> {
  for (const path of paths) {
    let failed = false;
    for await (const image of listImages([path])) {
      failed ||= image.kind === "error";
      if (image.kind === "folder" && image.pictures === 0 && !failed) {
        const remedy = "name pictures, or folders that hold some";
        const { name } = image;
        yield { kind: "error", name, error: new EngineError("picture", name, "no picture in it", remedy) };
      }
      yield image;
    }
  }
}

type Source = { readonly name: string; readonly error?: EngineError };

async function* sources(paths: readonly string[]): AsyncGenerator<Source, void, undefined> {
  for await (const image of listed(paths)) {
    if (image.kind !== "folder") yield image;
  }
}

async function decode<Prepared>(
  { name, error }: Source,
  prepare: (image: RgbImage) => Prepared,
): Promise<Picture<Prepared>> {
  if (error) return { name, error };
  try {
    return {
      name,
      prepared: prepare(await decodeImage(name === STANDARD_INPUT ? await readStandardInput() : name, name)),
    };
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
