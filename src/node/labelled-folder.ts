/** A folder's pictures and what they show: by the folders that they lie in, or by a file that says so. */

import { readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { EngineError } from "../errors.ts";
import { type LabelEntry, type LabelFile, parseLabelFile, parseSynsets } from "../evaluate/label-file.ts";
import { type LabelledPicture, numbered } from "../evaluate/pictures.ts";
import { ClassNames } from "../labels/find-class.ts";
import { listImages } from "./list-images.ts";
import { describeSystemError } from "./system-errors.ts";

/** Where it is said what pictures show. */
export interface LabelSource {
  /** A list `path class`, or a class a line; the folders' names say it unless given. */
  readonly labels?: string | undefined;
  /** The table of ILSVRC's own numbers, where `labels` has these. */
  readonly synsets?: string | undefined;
}

/** What was found in a folder. */
export interface LabelledFolder {
  /** In the order of their paths. */
  readonly pictures: readonly LabelledPicture[];
  /** Files that are no pictures. */
  readonly passedOver: number;
}

/** How many an error lists before it only counts. */
const LISTED = 3;
/** No list of pictures comes near; past it, Node could not make a text of it. */
const MAX_FILE_BYTES = 2 ** 28;

/**
 * Lists a folder's pictures with their classes.
 *
 * Rejects with EngineError "evaluation" where there is no picture, where one has no label or a label no picture, where
 * a label means nothing or several things; "picture" where a folder can't be read.
 */
export async function listLabelledPictures(
  folder: string,
  { labels, synsets }: LabelSource = {},
): Promise<LabelledFolder> {
  const { images, passedOver } = await listFolder(folder);
  const classes = new ClassNames();
  if (labels === undefined) {
    if (images.length === 0) throw empty(folder);
    return { pictures: numbered(byFolder(images, folder, classes)), passedOver };
  }
  const file = parseLabelFile(await readText(labels), labels, classes);
  if (images.length === 0 && file.kind === "truth") throw empty(folder);
  const labelled =
    file.kind === "list"
      ? await byList(file.entries, images, { folder, labels })
      : byTruth(file.labels, images, { folder, labels, classes, table: await tableOf(synsets, classes) });
  return { pictures: numbered(labelled), passedOver };
}

function empty(folder: string): EngineError {
  return new EngineError("evaluation", folder, "there is no picture in it", "name a folder that holds some");
}

async function listFolder(folder: string): Promise<{ images: string[]; passedOver: number }> {
  const images: string[] = [];
  let passedOver = 0;
  for await (const image of listImages([folder])) {
    if (image.kind === "error") throw image.error;
    if (image.kind === "folder") passedOver = image.passedOver;
    else images.push(portable(relative(folder, image.name)));
  }
  if (images.length === 1 && images[0] === "") {
    throw new EngineError("evaluation", folder, "it is no folder", "name the folder that the pictures are in");
  }
  return { images, passedOver };
}

/** A path as it is on every system. */
function portable(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}

type Labelled = Omit<LabelledPicture, "number">;

function byFolder(images: readonly string[], folder: string, classes: ClassNames): Labelled[] {
  const found = new Map<string, number>();
  return images.map((image) => {
    const end = image.indexOf("/");
    if (end === -1) {
      const remedy = "put pictures into a folder a class, named by WordNet id or name, or give --labels FILE";
      throw new EngineError("evaluation", join(folder, image), "nothing says what it shows", remedy);
    }
    const name = image.slice(0, end);
    let shown = found.get(name);
    if (shown === undefined) {
      shown = classes.find(name, `folder ${join(folder, name)}`);
      found.set(name, shown);
    }
    return { image, class: shown };
  });
}

async function byList(
  entries: readonly LabelEntry[],
  images: readonly string[],
  { folder, labels }: { readonly folder: string; readonly labels: string },
): Promise<Labelled[]> {
  const listed = new Map<string, LabelEntry>();
  for (const entry of entries) {
    const image = portable(relative(folder, resolve(folder, entry.path)));
    const where = `${labels}, line ${entry.line}`;
    if (image === "" || image === ".." || image.startsWith("../") || resolve(image) === image) {
      throw new EngineError("evaluation", where, `${entry.path} is not in ${folder}`, "give paths from that folder on");
    }
    const earlier = listed.get(image);
    if (earlier) {
      const problem = `${entry.path} is listed before, in line ${earlier.line}`;
      throw new EngineError("evaluation", where, problem, "list each picture once");
    }
    listed.set(image, entry);
  }
  // What does not end like a picture may be one all the same, where it is listed.
  const there = new Set(images);
  const missing: string[] = [];
  for (const image of listed.keys()) {
    if (!there.has(image) && !(await isFile(join(folder, image)))) missing.push(image);
  }
  if (missing.length > 0) {
    const problem = `${counted(missing)} listed, but not in ${folder}`;
    throw new EngineError("evaluation", labels, problem, "list the folder's pictures, by their paths in it");
  }
  const unlisted = images.filter((image) => !listed.has(image));
  if (unlisted.length > 0) {
    const problem = `${counted(unlisted)} in ${folder}, but not listed`;
    throw new EngineError("evaluation", labels, problem, "list every picture, or evaluate a folder of those that are");
  }
  return [...listed].map(([image, { class: shown }]) => ({ image, class: shown }));
}

/** `3 pictures (a.jpg, b.jpg, c.jpg) are`, the first ones named. */
function counted(images: readonly string[]): string {
  const names = images.slice(0, LISTED).join(", ") + (images.length > LISTED ? ", …" : "");
  return images.length === 1 ? `1 picture (${names}) is` : `${images.length} pictures (${names}) are`;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function byTruth(
  labels: Extract<LabelFile, { kind: "truth" }>["labels"],
  images: readonly string[],
  context: {
    readonly folder: string;
    readonly labels: string;
    readonly classes: ClassNames;
    readonly table: ReadonlyMap<number, number> | undefined;
  },
): Labelled[] {
  const { folder, labels: file, classes, table } = context;
  const refuse = (problem: string, remedy: string) => new EngineError("evaluation", file, problem, remedy);
  if (labels.length !== images.length) {
    const [lines, pictures] = [labels, images].map((each) => each.length);
    const problem = `it has ${lines} line${lines === 1 ? "" : "s"} for ${pictures} picture${pictures === 1 ? "" : "s"} in ${folder}`;
    throw refuse(problem, "give a line a picture, or a list `path class`");
  }
  const sorted = images.toSorted((a, b) => (a < b ? -1 : 1));
  checkOrder(sorted, file);
  return sorted.map((image, index) => {
    const label = labels[index];
    if (label.startsWith("n")) return { image, class: classes.find(label, `${file}, line ${index + 1}`) };
    if (table === undefined) {
      throw refuse(
        "its numbers are ILSVRC's own, in another order than the network's classes",
        "add --synsets FILE, the development kit's table of them, or give WordNet ids or a list `path class`",
      );
    }
    const shown = table.get(Number(label));
    if (shown === undefined) throw refuse(`line ${index + 1}: the table has no number ${label}`, "check both files");
    return { image, class: shown };
  });
}

/** Lines belong to pictures by their order alone, so that must be beyond doubt: of one folder, and by number. */
function checkOrder(images: readonly string[], file: string): void {
  const nested = images.find((image) => dirname(image) !== ".");
  if (nested !== undefined) {
    throw new EngineError(
      "evaluation",
      file,
      `it has no paths, and pictures lie in folders (${nested}), so that their order is unsure`,
      "give a list `path class`",
    );
  }
  let last = -1;
  for (const image of images) {
    // The number that a name ends in: ILSVRC2012_val_00000001.JPEG
    const digits = /(\d+)\.[^.]*$/.exec(image)?.[1];
    const number = digits === undefined ? last + 1 : Number(digits);
    if (number <= last) {
      throw new EngineError(
        "evaluation",
        file,
        `it has no paths, and pictures come in another order by name than by number (at ${image})`,
        "give a list `path class`",
      );
    }
    last = number;
  }
}

async function tableOf(
  synsets: string | undefined,
  classes: ClassNames,
): Promise<ReadonlyMap<number, number> | undefined> {
  return synsets === undefined ? undefined : parseSynsets(await readText(synsets), synsets, classes);
}

/** @throws EngineError "evaluation" */
async function readText(file: string): Promise<string> {
  try {
    const status = await stat(file);
    if (!status.isFile()) throw new EngineError("evaluation", file, "it is not a regular file", "name a text file");
    if (status.size > MAX_FILE_BYTES) {
      throw new EngineError("evaluation", file, `it is too large (${status.size} bytes)`, "give a list of pictures");
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
  } catch (error) {
    if (error instanceof EngineError) throw error;
    if (error instanceof TypeError) {
      throw new EngineError("evaluation", file, "it is not text (UTF-8)", "name a text file", { cause: error });
    }
    const { problem, remedy } = describeSystemError(error);
    throw new EngineError("evaluation", file, `it cannot be read: ${problem}`, remedy, { cause: error });
  }
}
