/** Pictures made up for tests. */

import type { RgbImage } from "../../src/image/resize.ts";
import { uniform } from "./random.ts";

/** Noise; where `symmetric`, its right half mirrors its left. */
export function noisePicture(width: number, height: number, symmetric = false): RgbImage {
  const next = uniform(width * 1000 + height);
  const data = Uint8Array.from({ length: width * height * 3 }, () => Math.floor(next() * 256));
  if (symmetric) {
    for (let pixel = 0; pixel < width * height; pixel++) {
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      const twin = (y * width + Math.min(x, width - 1 - x)) * 3;
      data.copyWithin(pixel * 3, twin, twin + 3);
    }
  }
  return { width, height, data };
}
