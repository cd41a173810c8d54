/** The roofline plot: rate over intensity, both logarithmic, beneath the device's ceilings. */

import { duration, figure, percent } from "../page/figures.ts";
import { at, html, type Markup } from "../page/markup.ts";
import type { KernelClass } from "./kernel-colors.ts";
import { type Box, type Dot, placeLabels } from "./labels.ts";
import type { Layer } from "./layers.ts";
import { type LogScale, logScale, logTicks } from "./log-scale.ts";
import { intensity, type Rates, type Roofline, type Work } from "./roofline.ts";

export interface PlotOptions {
  /** Pixels. The text keeps its size: a narrow page takes a narrow plot, not a smaller one. */
  readonly width: number;
  readonly height: number;
  /** How many layers may be named. */
  readonly labels: number;
}

/** Layers that multiply, a dot each, and all of them as a diamond. */
export function rooflinePlot(
  layers: readonly Layer[],
  totals: Work & Rates,
  ceilings: Roofline,
  kernelClass: KernelClass,
  options: PlotOptions,
): Markup {
  const { width, height } = options;
  const frame = { left: 52, top: 14, right: width - 14, bottom: height - 44 };
  const multiplying = layers.filter(({ gflops, bytes }) => gflops > 0 && bytes > 0);
  const ridge = ceilings.gflops / ceilings.gbps;
  const x = logScale(
    [...[...multiplying, ...(totals.gflops > 0 ? [totals] : [])].map(intensity), ridge / 2, ridge * 4],
    frame.left,
    frame.right,
  );
  const y = logScale(
    [...multiplying.map(({ gflops }) => gflops), ceilings.gflops * 1.5, ceilings.gflops / 8],
    frame.bottom,
    frame.top,
  );
  const dots = dotsOf(multiplying, (layer) => [x(intensity(layer)), y(layer.gflops)], width);
  const all: Dot | undefined =
    totals.gflops > 0 ? { x: x(intensity(totals)), y: y(totals.gflops), radius: 8 } : undefined;
  return html`<svg
    class="plot"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="group"
    aria-label="Roofline plot: a dot a layer, rate over intensity, beneath the device's measured ceilings"
  >
    ${grid(x, y, frame)} ${roof(x, y, ceilings, frame)}
    <text class="axis" x="${at((frame.left + frame.right) / 2)}" y="${height - 6}" text-anchor="middle">
      operations for each byte moved (FLOP/B)
    </text>
    <text class="axis" transform="translate(12 ${at((frame.top + frame.bottom) / 2)}) rotate(-90)" text-anchor="middle">
      GFLOP/s
    </text>
    ${drawDots(dots, kernelClass, frame, options.labels, all)} ${all ? diamond(all, totals) : html``}
  </svg>`;
}

/** Layers without multiply-adds, a dot each, against the bandwidth. */
export function bandwidthPlot(
  layers: readonly Layer[],
  { gbps }: Roofline,
  kernelClass: KernelClass,
  options: PlotOptions,
): Markup {
  const { width, height } = options;
  const moving = layers.filter((layer) => layer.macs === 0 && layer.gbps > 0);
  const frame = { left: 52, top: 26, right: width - 14, bottom: height - 44 };
  const x = logScale([...moving.map((layer) => layer.gbps), gbps, gbps / 10], frame.left, frame.right);
  // One above the other, so that they don't hide each other.
  const lanes = 4;
  const lane = (index: number) => frame.top + ((index % lanes) + 0.5) * ((frame.bottom - frame.top) / lanes);
  const dots = dotsOf(moving, (layer, index) => [x(layer.gbps), lane(index)], width);
  const ceiling = at(x(gbps));
  return html`<svg
    class="plot"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="group"
    aria-label="Layers without multiply-adds: bytes a second against the device's measured bandwidth"
  >
    ${verticals(x, frame)}
    <line class="roof" x1="${ceiling}" x2="${ceiling}" y1="${frame.top}" y2="${frame.bottom}" />
    <text class="ceiling" x="${ceiling}" y="${frame.top - 8}" text-anchor="${x(gbps) > width / 2 ? "end" : "start"}">
      bandwidth ${figure(gbps)} GB/s
    </text>
    <text class="axis" x="${at((frame.left + frame.right) / 2)}" y="${height - 6}" text-anchor="middle">GB/s</text>
    ${drawDots(dots, kernelClass, frame, options.labels)}
  </svg>`;
}

interface LayerDot extends Dot {
  readonly layer: Layer;
}

/** Dots whose areas are as the layers' times; the large ones first, so that the small ones lie on top. */
function dotsOf(layers: readonly Layer[], place: (layer: Layer, index: number) => [number, number], width: number) {
  const longest = Math.max(...layers.map(({ gpuMs }) => gpuMs));
  const largest = width > 500 ? 22 : 15;
  return layers
    .map((layer, index): LayerDot => {
      const [x, y] = place(layer, index);
      return { layer, x, y, radius: Math.max(3, largest * Math.sqrt(layer.gpuMs / longest)) };
    })
    .sort((a, b) => b.radius - a.radius);
}

/**
 * The dots, each with what it says while it is pointed at or has the focus, and names for the largest.
 *
 * @param all where the whole run is drawn
 */
function drawDots(dots: readonly LayerDot[], kernelClass: KernelClass, frame: Box, most: number, all?: Dot): Markup {
  const circles = dots.map(({ layer, x, y, radius }) => {
    const lines = describe(layer);
    const left = frame.left + 10;
    const readout = lines.map((line, index) => html`<tspan x="${left}" dy="${index === 0 ? 0 : 15}">${line}</tspan>`);
    return html`<g class="dot" tabindex="0" role="img" aria-label="${lines.join(", ")}"
      ><circle class="${kernelClass(layer.kernels[0].kernel)}" cx="${at(x)}" cy="${at(y)}" r="${at(radius)}" /><text
        class="readout"
        y="${frame.top + 16}"
        >${readout}</text
      ></g
    > `;
  });
  const wanted = [
    ...(all ? [{ text: "whole run", dot: all }] : []),
    ...dots.slice(0, most).map((dot) => ({ text: shortName(dot.layer), dot })),
  ];
  const names = placeLabels(wanted, all ? [...dots, all] : dots, frame).map(
    ({ text, x, y }) => html`<text class="name" x="${at(x)}" y="${at(y)}" aria-hidden="true">${text}</text>`,
  );
  return html`${circles}${names}`;
}

function describe(layer: Layer): string[] {
  const { name, kernels, gpuMs, share, macs, gflops, gbps, roofline } = layer;
  return [
    name,
    `${duration(gpuMs)}, ${percent(share)} of the run`,
    macs > 0 ? `${figure(gflops)} GFLOP/s at ${figure(intensity(layer))} FLOP/B` : `${figure(gbps)} GB/s`,
    `${percent(roofline)} of the roofline`,
    kernels.map(({ kernel }) => kernel).join(", "),
  ];
}

function shortName({ name }: Layer): string {
  return name.replace(/^inception_/, "");
}

function grid(x: LogScale, y: LogScale, frame: Box): Markup {
  const lines = logTicks(y).map(
    (tick) =>
      html`<line class="grid" x1="${frame.left}" x2="${frame.right}" y1="${at(y(tick))}" y2="${at(y(tick))}" /><text
          class="tick"
          x="${frame.left - 6}"
          y="${at(y(tick) + 4)}"
          text-anchor="end"
          >${figure(tick)}</text
        >`,
  );
  return html`${verticals(x, frame)}${lines}`;
}

function verticals(x: LogScale, frame: Box): Markup {
  const lines = logTicks(x).map(
    (tick) =>
      html`<line class="grid" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${frame.top}" y2="${frame.bottom}" /><text
          class="tick"
          x="${at(x(tick))}"
          y="${frame.bottom + 16}"
          text-anchor="middle"
          >${figure(tick)}</text
        >`,
  );
  return html`${lines}`;
}

/** Both ceilings, from the frame's left or lower edge to the ridge and on to its right edge, and what they are. */
function roof(x: LogScale, y: LogScale, { gflops, gbps }: Roofline, frame: Box): Markup {
  const ridge = gflops / gbps;
  const start = Math.max(x.least, y.least / gbps);
  const points = [
    [start, start * gbps],
    [ridge, gflops],
    [x.most, gflops],
  ].map(([operations, rate]) => `${at(x(operations))},${at(y(rate))}`);
  const slope = (Math.atan2(y.decade, x.decade) * 180) / Math.PI;
  // Towards the lower end: layers gather near the ridge.
  const middle = start * (ridge / start) ** 0.4;
  return html`<polygon
      class="beyond"
      points="${points.join(" ")} ${frame.right},${frame.top} ${frame.left},${frame.top} ${frame.left},${at(y(start * gbps))}"
    />
    <polyline class="roof" points="${points.join(" ")}" />
    <text class="ceiling" x="${frame.right - 4}" y="${at(y(gflops) - 7)}" text-anchor="end"
      >arithmetic ${figure(gflops)} GFLOP/s</text
    >
    <text
      class="ceiling"
      transform="translate(${at(x(middle))} ${at(y(middle * gbps))}) rotate(${at(slope)})"
      y="-7"
      text-anchor="middle"
      >memory ${figure(gbps)} GB/s</text
    >`;
}

function diamond({ x, y, radius }: Dot, totals: Rates): Markup {
  const label = `whole run: ${figure(totals.gflops)} GFLOP/s, ${percent(totals.roofline)} of the roofline`;
  const side = `l${radius} ${radius}l-${radius} ${radius}l-${radius} -${radius}z`;
  return html`<g class="all" role="img" aria-label="${label}"
    ><path d="M${at(x)} ${at(y - radius)}${side}" /><title>${label}</title></g
  >`;
}
