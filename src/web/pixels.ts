/** From a picture as browsers hold it to the pixels that the core takes. */

import { EngineError } from "../errors.ts";
import type { RgbImage } from "../image/resize.ts";

/** The most pixels that are looked at: browsers' canvases have limits, and the network sees 224×224 in the end. */
const MAX_PIXELS = 40_000_000;

/**
 * 8-bit sRGB, upright, on white where the picture is transparent, as `decodeImage` gives it in Node. Pictures of more
 * than MAX_PIXELS are reduced to them.
 */
export function pixelsOf(picture: ImageBitmap): RgbImage {
  const share = Math.min(1, Math.sqrt(MAX_PIXELS / (picture.width * picture.height)));
  const [width, height] = [picture.width, picture.height].map((extent) => Math.max(1, Math.floor(extent * share)));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) {
    throw new EngineError("picture", "picture", "this browser gives no canvas to read it from", "reload the page");
  }
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  const { data: rgba } = context.getImageData(0, 0, width, height);
  const data = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba[from];
    data[to + 1] = rgba[from + 1];
    data[to + 2] = rgba[from + 2];
  }
  return { width, height, data };
}
