/** Small copies of pictures, to stand in a page. */

import sharp from "sharp";
import { EngineError } from "../errors.ts";
import { decodeImage } from "./decode.ts";

/** Pixels of the longer side, and so that two dozen of them make a page of half a megabyte. */
const SIDE = 360;
const QUALITY = 72;

/**
 * A picture whole, small, as a `data:` address of a JPEG; null where it can't be decoded, as when it has gone since.
 * It is decoded as the network's input is, with all the care for what files may hold.
 */
export async function thumbnailOf(path: string): Promise<string | null> {
  try {
    const { width, height, data } = await decodeImage(path);
    const small = await sharp(data, { raw: { width, height, channels: 3 } })
      .resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: true })
      .jpeg({ quality: QUALITY, mozjpeg: true })
      .toBuffer();
    return `data:image/jpeg;base64,${small.toString("base64")}`;
  } catch (error) {
    if (error instanceof EngineError && error.code === "picture") return null;
    throw error;
  }
}
