/** Which colour a value has: from zero up where nothing is negative, else alike on both sides of zero. */

/** R, G, B, 0–255. */
type Color = readonly [red: number, green: number, blue: number];

export interface ColorScale {
  readonly kind: "from zero" | "both signs";
  /** The values at the scale's ends. */
  readonly from: number;
  readonly to: number;
  /** The smallest and the largest finite value; 0 where there is none. */
  readonly min: number;
  readonly max: number;
}

/** Magma by Nathaniel Smith and Stéfan van der Walt (matplotlib, CC0): lightness rises evenly, whatever the eye. */
const MAGMA = [
  "#000004",
  "#180f3d",
  "#440f76",
  "#721f81",
  "#9e2f7f",
  "#cd4071",
  "#f1605d",
  "#fd9668",
  "#feca8d",
  "#fcfdbf",
].map(parse);

/** After Fabio Crameri's "berlin": blue below zero, red above, and zero as dark as with the other. */
const BERLIN = [
  "#9eb0ff",
  "#5ba4db",
  "#2d7597",
  "#1a4256",
  "#11191e",
  "#28110c",
  "#501803",
  "#8a3f29",
  "#c4756a",
  "#ffadad",
].map(parse);

/** Where a value is no number, which no scale has. */
const NOT_FINITE: Color = [255, 0, 255];
const STEPS = 256;

const TABLES: Readonly<Record<ColorScale["kind"], readonly Color[]>> = {
  "from zero": table(MAGMA),
  "both signs": table(BERLIN),
};

/** The scale that shows these values whole. */
export function scaleFor(values: Float32Array): ColorScale {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min > max) return { kind: "from zero", from: 0, to: 1, min: 0, max: 0 };
  if (min >= 0) return { kind: "from zero", from: 0, to: max > 0 ? max : 1, min, max };
  const reach = Math.max(-min, max);
  return { kind: "both signs", from: -reach, to: reach, min, max };
}

export function colorOf({ kind, from, to }: ColorScale, value: number): Color {
  if (!Number.isFinite(value)) return NOT_FINITE;
  const place = Math.round(((value - from) / (to - from)) * (STEPS - 1));
  return TABLES[kind][Math.min(Math.max(place, 0), STEPS - 1)];
}

function table(stops: readonly Color[]): Color[] {
  return Array.from({ length: STEPS }, (_, step) => {
    const position = (step / (STEPS - 1)) * (stops.length - 1);
    const before = Math.min(Math.floor(position), stops.length - 2);
    return mix(stops[before], stops[before + 1], position - before);
  });
}

function mix(a: Color, b: Color, share: number): Color {
  const [red, green, blue] = a.map((channel, index) => Math.round(channel + (b[index] - channel) * share));
  return [red, green, blue];
}

function parse(hex: string): Color {
  const [red, green, blue] = [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16));
  return [red, green, blue];
}
