/** Feature maps as pixels. */

import { type ColorScale, colorOf } from "./color-scale.ts";
import { contextOf } from "./dom.ts";
import { cornerOf, type MapLayout } from "./map-layout.ts";

/** Draws every map of a grid, each by the scale that it is given. */
export function paintMaps(
  canvas: HTMLCanvasElement,
  layout: MapLayout,
  values: Float32Array,
  scaleOf: (map: number) => ColorScale,
): void {
  const { count, height, width, scale, gridWidth, gridHeight } = layout;
  const context = contextOf(canvas, gridWidth, gridHeight);
  const image = context.createImageData(gridWidth, gridHeight);
  const pixels = new Uint32Array(image.data.buffer);
  for (let map = 0; map < count; map++) {
    const { x: left, y: top } = cornerOf(layout, map);
    const colors = scaleOf(map);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const [red, green, blue] = colorOf(colors, values[(map * height + row) * width + column]);
        // Little-endian, as every machine with WebGPU: A, B, G, R from the highest byte on.
        const pixel = (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
        for (let y = 0; y < scale; y++) {
          const start = (top + row * scale + y) * gridWidth + left + column * scale;
          pixels.fill(pixel, start, start + scale);
        }
      }
    }
  }
  context.putImageData(image, 0, 0);
}

/** Draws a scale from its first colour to its last. */
export function paintScale(canvas: HTMLCanvasElement, scale: ColorScale): void {
  const context = contextOf(canvas, canvas.width, 1);
  for (let x = 0; x < canvas.width; x++) {
    const value = scale.from + ((scale.to - scale.from) * x) / (canvas.width - 1);
    context.fillStyle = `rgb(${colorOf(scale, value).join(" ")})`;
    context.fillRect(x, 0, 1, 1);
  }
}
