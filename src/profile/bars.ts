/** The run as one strip from left to right, and a bar a layer. */

import { duration, figure, percent } from "../page/figures.ts";
import { html, type Markup, portion } from "../page/markup.ts";
import type { KernelClass } from "./kernel-colors.ts";
import type { Block, Layer } from "./layers.ts";

/** Narrower blocks have no room for their name; on a narrow page, blocks twice as wide have none. */
const namedShare = 0.028;

/** All layers side by side, as wide as they take long, with the blocks' names beneath. */
export function strip(blocks: readonly Block[], kernelClass: KernelClass): Markup {
  let elapsed = 0;
  const parts = blocks.map(({ name, layers }) => {
    const start = elapsed;
    const segments = layers.map((layer) => {
      const segment = html`<rect
        class="${kernelClass(layer.kernels[0].kernel)}"
        x="${portion(elapsed)}"
        y="0"
        width="${portion(layer.share)}"
        height="36"
        ><title>${layer.name}: ${duration(layer.gpuMs)}, ${percent(layer.share)}</title></rect
      >`;
      elapsed += layer.share;
      return segment;
    });
    const label =
      elapsed - start >= namedShare
        ? html`<text
            class="${elapsed - start < 2 * namedShare ? "wide" : "named"}"
            x="${portion((start + elapsed) / 2)}"
            y="54"
            text-anchor="middle"
            >${name.replace("Inception ", "")}<title>${name}: ${percent(elapsed - start)}</title></text
          >`
        : html``;
    return html`<g
      >${segments}<line class="cut" x1="${portion(start)}" x2="${portion(start)}" y1="0" y2="42" />${label}</g
    >`;
  });
  return html`<svg
    class="strip"
    width="100%"
    height="60"
    role="img"
    aria-label="The layers of a run side by side, as wide as the time that they take"
  >
    ${parts}
  </svg>`;
}

/** A table with a bar a layer, coloured by kernel, and a line that climbs with the cumulative share. */
export function bars(blocks: readonly Block[], kernelClass: KernelClass): Markup {
  const longest = Math.max(...blocks.flatMap(({ layers }) => layers.map(({ share }) => share)), Number.MIN_VALUE);
  let elapsed = 0;
  const bodies = blocks.map(({ name, layers }) => {
    const share = layers.reduce((sum, layer) => sum + layer.share, 0);
    const milliseconds = layers.reduce((sum, layer) => sum + layer.gpuMs, 0);
    const heading = html`<tr class="block">
      <th scope="rowgroup">${name}</th>
      <td>${cell([], elapsed, elapsed)}</td>
      <td>${duration(milliseconds)}</td>
      <td>${percent(share)}</td>
      <td class="wide"></td>
      <td class="wide"></td>
      <td class="wide"></td>
    </tr>`;
    const rows = layers.map((layer) => {
      const before = elapsed;
      elapsed += layer.share;
      return html`<tr>
        <th scope="row" title="${layer.name}">${layer.label}</th>
        <td>${cell(segments(layer, longest, kernelClass), before, elapsed)}</td>
        <td>${duration(layer.gpuMs)}</td>
        <td>${percent(layer.share)}</td>
        <td class="wide">${percent(elapsed)}</td>
        <td class="wide">${rate(layer)}</td>
        <td class="wide">${percent(layer.roofline)}</td>
      </tr> `;
    });
    return html`<tbody>
      ${heading} ${rows}
    </tbody> `;
  });
  return html`<table class="bars">
    <thead>
      <tr>
        <th scope="col">layer</th>
        <th scope="col">GPU time</th>
        <th scope="col">time</th>
        <th scope="col">share</th>
        <th scope="col" class="wide">cumul.</th>
        <th scope="col" class="wide">rate</th>
        <th scope="col" class="wide">roofline</th>
      </tr>
    </thead>
    ${bodies}
  </table>`;
}

function rate({ macs, gflops, gbps }: Layer): string {
  return macs > 0 ? `${figure(gflops)} GFLOP/s` : `${figure(gbps)} GB/s`;
}

function segments(layer: Layer, longest: number, kernelClass: KernelClass): Markup[] {
  let x = 0;
  return layer.kernels.map(({ kernel, gpuMs, steps }) => {
    const width = layer.gpuMs > 0 ? (layer.share / longest) * (gpuMs / layer.gpuMs) : 0;
    const title = html`<title>${kernel}: ${duration(gpuMs)}${steps > 1 ? ` in ${steps} steps` : ""}</title>`;
    const segment = html`<rect
      class="${kernelClass(kernel)}"
      x="${portion(x)}"
      y="4"
      width="${portion(width)}"
      height="14"
      >${title}</rect
    >`;
    x += width;
    return segment;
  });
}

function cell(contents: readonly Markup[], from: number, to: number): Markup {
  return html`<svg width="100%" height="22" aria-hidden="true">
    ${contents}
    <line class="cumulative" x1="${portion(from)}" y1="0" x2="${portion(to)}" y2="100%" />
  </svg>`;
}
