/** Errors by how much is looked at: a bar an evaluation with its interval, and beside it the paper's. */

import { count, percent } from "../../page/figures.ts";
import { type LinearScale, linearScale } from "../../page/linear-scale.ts";
import { html, type Markup, portion } from "../../page/markup.ts";
import { effortGroups, PAPER_PICTURES, paperError } from "../paper.ts";
import { errorRate, type ErrorRate, type Interval } from "../statistics.ts";
import { effortName, type Evaluated } from "./efforts.ts";

/** The error that is drawn, by what `Summary` calls it. */
export type ErrorKind = "top1" | "top5";

/** A table with a bar an evaluation; of the top-5 error, with the paper's too. */
export function errorBars(evaluated: readonly Evaluated[], kind: ErrorKind): Markup {
  const groups = effortGroups(evaluated)
    .map((group) => ({ ...group, paper: kind === "top5" ? paperRate(paperError(group)) : null }))
    .filter((group) => group.evaluated.length > 0 || group.paper !== null);
  const rates = groups.flatMap((group) => [
    ...group.evaluated.map(({ summary }) => summary[kind]),
    ...(group.paper === null ? [] : [group.paper]),
  ]);
  const scale = linearScale(Math.min(1, Math.max(...rates.map(({ interval }) => interval.high), 0.01)));
  const bodies = groups.map(
    (group) =>
      html`<tbody>
        <tr class="effort">
          <th scope="rowgroup" colspan="2">${effortName(group)}</th>
          <td></td>
          <td class="wide"></td>
        </tr>
        ${group.evaluated.map((each) => row(each.variant || "this engine", each.summary[kind], each.color, scale))}
        ${group.paper === null ? html`` : row("the paper", group.paper, "paper", scale)}
      </tbody> `,
  );
  return html`<table class="errors">
    <thead>
      <tr>
        <th scope="col">${kind === "top5" ? "top-5 error" : "top-1 error"}</th>
        <th scope="col">${axis(scale)}</th>
        <th scope="col">error</th>
        <th scope="col" class="wide">95 % interval</th>
      </tr>
    </thead>
    ${bodies}
  </table>`;
}

/** The paper's error as one among its pictures. */
function paperRate(rate: number | null): ErrorRate | null {
  return rate === null ? null : errorRate(Math.round(rate * PAPER_PICTURES), PAPER_PICTURES);
}

function row(name: string, rate: ErrorRate, color: string, scale: LinearScale): Markup {
  return html`<tr title="${`${count(rate.errors)} of ${count(rate.of)} pictures`}">
    <th scope="row">${name}</th>
    <td>${bar(rate, color, scale)}</td>
    <td>${percent(rate.rate, 2)}</td>
    <td class="wide">${rate.of > 0 ? range(rate.interval) : "–"}</td>
  </tr> `;
}

/** `9.81 – 10.34 %`. */
export function range({ low, high }: Interval, decimals = 2): string {
  return `${(100 * low).toFixed(decimals)} – ${percent(high, decimals)}`;
}

/** A rate as a bar on its scale, with its interval; nothing of no picture. */
export function bar({ of, rate, interval }: ErrorRate, color: string, scale: LinearScale): Markup {
  const drawn = html`<rect
      class="${color}"
      y="4"
      width="${portion(rate / scale.most)}"
      height="14"
    />${whisker(interval, scale.most, 11)}`;
  return html`<svg width="100%" height="22" aria-hidden="true">${gridLines(scale)} ${of > 0 ? drawn : html``}</svg>`;
}

/** A line from an interval's low end to its high one, with an end at either. */
export function whisker({ low, high }: Interval, most: number, y: number): Markup {
  const [from, to] = [portion(Math.min(1, low / most)), portion(Math.min(1, high / most))];
  return html`<g class="whisker"
    ><line x1="${from}" x2="${to}" y1="${y}" y2="${y}" /><line
      x1="${from}"
      x2="${from}"
      y1="${y - 4}"
      y2="${y + 4}" /><line x1="${to}" x2="${to}" y1="${y - 4}" y2="${y + 4}"
  /></g>`;
}

/** A line down a cell at each tick. */
function gridLines({ ticks, most }: LinearScale): Markup[] {
  return ticks.map((tick) => {
    const x = portion(tick / most);
    return html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="100%" />`;
  });
}

/** The ticks' names, in a cell as wide as the bars', and in words for those who see none. */
export function axis({ ticks, most }: LinearScale): Markup {
  const labels = ticks.map((tick, index) => {
    const anchor = index === 0 ? "start" : index === ticks.length - 1 ? "end" : "middle";
    const optional = index > 0 && index < ticks.length - 1 ? "wide" : "named";
    return html`<text class="${`tick ${optional}`}" x="${portion(tick / most)}" y="12" text-anchor="${anchor}"
      >${percent(tick, tickDecimals(ticks))}</text
    >`;
  });
  return html`<span class="hidden">from 0 to ${percent(most, tickDecimals(ticks))}</span
    ><svg width="100%" height="16" aria-hidden="true">${labels}</svg>`;
}

/** As many decimals as the finest tick needs. */
function tickDecimals(ticks: readonly number[]): number {
  const whole = (decimals: number) =>
    ticks.every((tick) => Number.isInteger(Number((10 ** (2 + decimals) * tick).toPrecision(9))));
  return [0, 1].find(whole) ?? 2;
}
