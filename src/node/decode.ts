/**
 * Pictures that people have, decoded by sharp (libvips) to upright 8-bit sRGB: JPEG, PNG, WebP, AVIF, GIF (its first
 * frame), TIFF (its first page) and SVG.
 *
 * Files are read here and handed to sharp as bytes. That keeps device files and pipes out, and gives an SVG no
 * folder of its own, without which the renderer follows no link to another file; it never follows one to the network.
 */

import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import sharp, { type Metadata, type SharpOptions } from "sharp";
import { EngineError } from "../errors.ts";
import type { RgbImage } from "../image/resize.ts";
import { systemErrorCode } from "./system-errors.ts";

/** The most pixels that are decoded: 16,383², three quarters of a gigabyte of R, G, B. */
export const MAX_PIXELS = 0x3fff * 0x3fff;

/** The most bytes that are read of one picture. */
export const MAX_FILE_BYTES = 2 ** 30;

/** No picture within the limits takes as long; one made to (an SVG of endless filters) is given up. */
const TIMEOUT_SECONDS = 60;

/** The dots an inch at which an SVG has one pixel a user unit. */
const DEFAULT_DENSITY = 72;

/** An SVG has no pixels of its own: its shorter side gets as many as leave the network's input sharp … */
const SVG_SHORTER_SIDE = 512;
/** … unless the longer one would get more than this. */
const SVG_LONGER_SIDE = 4096;
/** Past this many user units a side, an SVG's size overflows in the renderer. */
const SVG_MAX_UNITS = 1_000_000;

/** Windows has no such flag. */
const NON_BLOCKING = "O_NONBLOCK" in constants ? constants.O_NONBLOCK : 0;

/** What sharp and what it decodes with say of time and of memory; a picture that asks for too much has a limit named. */
const TIMED_OUT = /timeout/i;
const OUT_OF_MEMORY =
  /^(?!.*limit).*(out of memory|(cannot|unable to|could not) allocate|insufficient memory|allocation failed)/is;

const FORMATS = "JPEG, PNG, WebP, AVIF, GIF, TIFF or SVG";

// Over thousands of pictures that are each seen once, libvips's cache of operations only grows the process, and
// several pictures decoded side by side use the cores better than several threads in one.
sharp.cache(false);
sharp.concurrency(1);

/**
 * Decodes a picture, from a file's path or from its bytes, to upright 8-bit sRGB. What shows through is white, as
 * on paper: drawings cut out on a transparent ground are mostly dark, and on black they would vanish.
 * `name` is what errors call the picture.
 * @throws EngineError `picture`: missing, unreadable, empty, damaged, truncated, not a picture, or too large.
 */
export async function decodeImage(
  source: string | Uint8Array,
  name = typeof source === "string" ? source : "picture",
): Promise<RgbImage> {
  const bytes = typeof source === "string" ? await readPictureFile(source, name) : source;
  if (bytes.length === 0) {
    throw new EngineError("picture", name, "the file is empty", `give a picture (${FORMATS})`);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    // The SVG renderer would unpack it, to whatever size it has.
    throw new EngineError("picture", name, "the file is compressed with gzip", "unpack it (gunzip) before");
  }
  try {
    return await decode(bytes, name);
  } catch (error) {
    throw error instanceof EngineError ? error : refusal(error, name);
  }
}

async function decode(bytes: Uint8Array, name: string): Promise<RgbImage> {
  refuseEndlessSvg(bytes, name);
  const header = await measure(bytes);
  const options: SharpOptions = { limitInputPixels: MAX_PIXELS, failOn: "warning" };
  let { width, height } = header;
  if (header.format === "svg") ({ width, height, density: options.density } = await scaleSvg(bytes, header, name));
  if (width * height > MAX_PIXELS) {
    throw new EngineError(
      "picture",
      name,
      `${width}×${height} is more than the ${MAX_PIXELS.toLocaleString("en")} pixels that are decoded`,
      "make the picture smaller",
    );
  }

  const { data, info } = await sharp(bytes, options)
    .timeout({ seconds: TIMEOUT_SECONDS })
    .autoOrient()
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** A picture's header. It is read without a limit, so that an error can say how large the picture is. */
function measure(bytes: Uint8Array, density = DEFAULT_DENSITY): Promise<Metadata> {
  return sharp(bytes, { limitInputPixels: false, density }).metadata();
}

/** The dots an inch at which an SVG comes out at a size worth looking at, and that size. */
async function scaleSvg(
  bytes: Uint8Array,
  header: Metadata,
  name: string,
): Promise<{ density: number; width: number; height: number }> {
  const [shorter, longer] = [Math.min(header.width, header.height), Math.max(header.width, header.height)];
  const scale = Math.min(SVG_SHORTER_SIDE / shorter, SVG_LONGER_SIDE / longer);
  const at = async (factor: number): Promise<{ density: number; width: number; height: number }> => {
    const density = Math.min(100_000, Math.max(1, DEFAULT_DENSITY * factor));
    const { width, height } = await measure(bytes, density);
    return { density, width, height };
  };
  let scaled = await at(scale);
  // Pixels grow with the density, but millimetres and inches with its square.
  const growth = Math.max(scaled.width, scaled.height) / (longer * scale);
  if (growth > 1.5 || growth < 1 / 1.5) scaled = await at(Math.sqrt(scale));
  // A size that overflows in the renderer comes out as one pixel, whatever the density.
  const overflows = (side: number, own: number): boolean => side === 1 && own * scale >= 2;
  if (overflows(scaled.width, header.width) || overflows(scaled.height, header.height)) throw endlessSvg(name);
  return scaled;
}

/** Refuses an SVG whose own size overflows in the renderer, which would complain on standard error and draw one pixel. */
function refuseEndlessSvg(bytes: Uint8Array, name: string): void {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 65_536)).toString("latin1");
  const root = /<svg\b[^>]*>/.exec(start)?.[0] ?? "";
  for (const [, value] of root.matchAll(/\s(?:width|height)\s*=\s*["']\s*([-+.\deE]+)/g)) {
    if (Number.parseFloat(value) > SVG_MAX_UNITS) throw endlessSvg(name);
  }
}

function endlessSvg(name: string): EngineError {
  return new EngineError(
    "picture",
    name,
    "the drawing is too large to be rendered",
    `give its width and height as at most ${SVG_MAX_UNITS.toLocaleString("en")}`,
  );
}

/** What sharp's error means to somebody who gave a picture. */
function refusal(error: unknown, name: string): EngineError {
  const text = error instanceof Error ? error.message : String(error);
  if (/unsupported image format/i.test(text)) {
    return new EngineError("picture", name, "this is not a picture that can be read", `give ${FORMATS}`, {
      cause: error,
    });
  }
  if (TIMED_OUT.test(text)) {
    return new EngineError(
      "picture",
      name,
      `it is not decoded after ${TIMEOUT_SECONDS} seconds`,
      "make the picture simpler or smaller",
      { cause: error },
    );
  }
  const reason = text
    .replace(/^Input buffer has corrupt header: /, "")
    .trim()
    // libvips gives all that its loaders had to say, again and again, a line each.
    .split(/\s*\n\s*/)[0]
    .replace(/\s+/g, " ");
  return new EngineError(
    "picture",
    name,
    `the picture is damaged, cut short, or of a kind that is not supported (${reason})`,
    `save it anew as ${FORMATS}`,
    { cause: error },
  );
}

/**
 * Whose failure a picture's error tells of: the picture's own, which stays whatever one does; the machine's (its file
 * system, its memory), of which another try may see nothing; or of time, which a picture may take and a busy machine too.
 */
export type Failure = "content" | "machine" | "time";

/** What an error that `decodeImage` threw tells of. */
export function failureOf({ cause }: EngineError): Failure {
  if (!(cause instanceof Error)) return "content";
  // Node's own codes (ERR_…) are of arguments: a name that no file can have.
  if (/^E[A-Z\d]+$/.test(systemErrorCode(cause) ?? "")) return "machine";
  if (OUT_OF_MEMORY.test(cause.message)) return "machine";
  return TIMED_OUT.test(cause.message) ? "time" : "content";
}

/** A regular file's bytes; anything else (a folder, a device, a pipe) is refused before it is read. */
async function readPictureFile(path: string, name: string): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe that nobody writes to would wait for ever.
    file = await open(path, constants.O_RDONLY | NON_BLOCKING);
    const stat = await file.stat();
    if (stat.isDirectory()) {
      throw new EngineError("picture", name, "this is a folder, not a picture", "give a picture's file");
    }
    if (!stat.isFile()) {
      throw new EngineError(
        "picture",
        name,
        "this is not a regular file",
        "give a file, or pipe the picture in as `-`",
      );
    }
    if (stat.size > MAX_FILE_BYTES) throw tooManyBytes(name);
    return await file.readFile();
  } catch (error) {
    throw error instanceof EngineError ? error : fileRefusal(error, name);
  } finally {
    await file?.close();
  }
}

/** What the file system's error means, as an EngineError `picture`. */
export function fileRefusal(error: unknown, name: string): EngineError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR" || code === "ERR_INVALID_ARG_VALUE") {
    return new EngineError("picture", name, "there is no such file", "check the path", { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new EngineError("picture", name, "it may not be read", "check its permissions", { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new EngineError("picture", name, `it cannot be read (${reason})`, "check the file and its disk", {
    cause: error,
  });
}

/**
 * Reads a stream (standard input) to its end.
 * @throws EngineError `picture` where it holds more than `limit` bytes.
 */
export async function readPictureStream(
  stream: AsyncIterable<Uint8Array>,
  name: string,
  limit = MAX_FILE_BYTES,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > limit) throw tooManyBytes(name, limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooManyBytes(name: string, limit = MAX_FILE_BYTES): EngineError {
  return new EngineError(
    "picture",
    name,
    `it is larger than the ${limit.toLocaleString("en")} bytes that are read of a picture`,
    "make the picture smaller",
  );
}
