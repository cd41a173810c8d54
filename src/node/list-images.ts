/** Which pictures the given paths mean: files as they stand, folders with all that is in them. */

import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { EngineError } from "../errors.ts";
import { fileRefusal } from "./decode.ts";

/** What is taken for a picture in a folder, by the end of its name. A file that is named itself may end as it will. */
const PICTURE_EXTENSIONS = new Set([
  ".jpg",
  ".jpeg",
  ".jpe",
  ".jfif",
  ".png",
  ".webp",
  ".avif",
  ".gif",
  ".tif",
  ".tiff",
  ".svg",
]);

/** The path that means standard input, and what standard input is called. */
export const STANDARD_INPUT = "-";

/** What a path that was given comes to. */
export type ListedImage =
  /** A picture's file; `name` is its path, from the path that was given. */
  | { readonly kind: "file"; readonly name: string }
  /** Standard input, which the caller reads. */
  | { readonly kind: "standard-input"; readonly name: typeof STANDARD_INPUT }
  /** A path that gives no picture. */
  | { readonly kind: "error"; readonly name: string; readonly error: EngineError }
  /** Comes after everything that is in a folder that was given: how many files were pictures, how many not. */
  | { readonly kind: "folder"; readonly name: string; readonly pictures: number; readonly passedOver: number };

/**
 * Lists the pictures that `paths` mean, in their order; a folder's by name (in the order of UTF-16 code units,
 * whatever the machine's language), subfolders among them in their place. Files that do not end like pictures or
 * whose name starts with a dot are passed over and counted. Links are followed; a folder that is reached again
 * through one is not listed again. What cannot be read becomes an `error` entry and does not end the list.
 *
 * Folders are read as the caller gets to them.
 */
export async function* listImages(paths: Iterable<string>): AsyncGenerator<ListedImage, void, undefined> {
  let standardInputIsListed = false;
  for (const path of paths) {
    if (path === STANDARD_INPUT) {
      if (standardInputIsListed) {
        const error = new EngineError("picture", path, "standard input is given twice", "give it once");
        yield { kind: "error", name: path, error };
      } else {
        standardInputIsListed = true;
        yield { kind: "standard-input", name: path };
      }
      continue;
    }
    const kind = await kindOf(path);
    if (kind instanceof EngineError) {
      yield { kind: "error", name: path, error: kind };
    } else if (kind === "folder") {
      yield* listFolder(path);
    } else {
      yield { kind: "file", name: path };
    }
  }
}

async function* listFolder(root: string): AsyncGenerator<ListedImage, void, undefined> {
  const seen = new Set<string>();
  let pictures = 0;
  let passedOver = 0;

  async function* walk(folder: string): AsyncGenerator<ListedImage, void, undefined> {
    let entries: Dirent[];
    try {
      const real = await realpath(folder);
      if (seen.has(real)) return;
      seen.add(real);
      entries = await readdir(folder, { withFileTypes: true });
    } catch (error) {
      yield { kind: "error", name: folder, error: fileRefusal(error, folder) };
      return;
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.name.startsWith(".")) {
        if (!entry.isDirectory()) passedOver++;
      } else if (entry.isDirectory() || (entry.isSymbolicLink() && (await kindOf(path)) === "folder")) {
        yield* walk(path);
      } else if (PICTURE_EXTENSIONS.has(extname(entry.name).toLowerCase())) {
        pictures++;
        yield { kind: "file", name: path };
      } else {
        passedOver++;
      }
    }
  }

  yield* walk(root);
  yield { kind: "folder", name: root, pictures, passedOver };
}

async function kindOf(path: string): Promise<"file" | "folder" | EngineError> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (error) {
    return fileRefusal(error, path);
  }
}
