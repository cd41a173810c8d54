/**
 * A bar chart as SVG: the time that an image takes, a group of bars a batch size. Written out by hand since it is a
 * page of rectangles; plotting libraries that need no browser weigh more than the engine.
 */

import type { BenchRecord } from "../../src/bench/record.ts";
import type { MeasuredCase } from "../../src/bench/tournament.ts";
import { duration } from "../../src/page/figures.ts";
import { at, html, type Markup } from "../../src/page/markup.ts";
import { engineName } from "./render.ts";

const WIDTH = 860;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 110;
const BAR = 20;
const GAP = 8;
const HEAD = 46;
const GROUP_HEAD = 32;
const OWN_COLOUR = "#2f6fdf";
const PEER_COLOUR = "#9aa7b8";

export function barChart({ environment, cases }: BenchRecord): string {
  const groups = [...new Set(cases.map(groupName))].map(
    (name) => [name, cases.filter((each) => groupName(each) === name)] as const,
  );
  const parts: Markup[] = [];
  let y = HEAD;
  for (const [name, members] of groups) {
    const sorted = members.toSorted((a, b) => perImage(a) - perImage(b));
    const longest = Math.max(...sorted.map(perImage));
    parts.push(text(0, y + 20, name, { weight: 600 }));
    y += GROUP_HEAD;
    for (const each of sorted) {
      const width = Math.max(1, ((WIDTH - LABEL_WIDTH - VALUE_WIDTH) * perImage(each)) / longest);
      const colour = each.engine === "googlenet-wgsl" ? OWN_COLOUR : PEER_COLOUR;
      const value = `${duration(perImage(each))}${each.checked ? "" : " (wrong output)"}`;
      parts.push(
        text(LABEL_WIDTH - 10, y + 15, engineName(each), { anchor: "end" }),
        html`<rect x="${LABEL_WIDTH}" y="${y}" width="${at(width)}" height="${BAR}" rx="2" fill="${colour}" /> `,
        text(LABEL_WIDTH + width + 8, y + 15, value),
      );
      y += BAR + GAP;
    }
  }
  const title = `Median time an image, ${environment.adapter ?? "several adapters"}, ${environment.date.slice(0, 10)}`;
  const svg = html`<svg
    xmlns="http://www.w3.org/2000/svg"
    viewBox="-16 0 ${WIDTH + 32} ${y + 12}"
    role="img"
    aria-label="${title}"
    font-family="system-ui, sans-serif"
    fill="#1d2530"
  >
    <rect x="-16" width="${WIDTH + 32}" height="${y + 12}" fill="#ffffff" />
    ${text(0, 28, title, { size: 16, weight: 600 })} ${parts}
  </svg> `;
  return svg.text;
}

function groupName({ batch, precision }: MeasuredCase): string {
  return `batch ${batch}, ${precision === "f16" ? "float16" : "float32"}`;
}

function perImage({ medianMs, batch }: MeasuredCase): number {
  return medianMs / batch;
}

type Look = { readonly weight?: number; readonly size?: number; readonly anchor?: "start" | "end" };

function text(x: number, y: number, content: string, { weight = 400, size = 13, anchor = "start" }: Look = {}): Markup {
  return html`<text x="${at(x)}" y="${y}" font-weight="${weight}" font-size="${size}" text-anchor="${anchor}">
    ${content}
  </text> `;
}
