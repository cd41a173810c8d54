/** What each model of an ensemble comes to by itself, below what they come to together. */

import { percent } from "../../page/figures.ts";
import { type LinearScale, linearScale } from "../../page/linear-scale.ts";
import { html, type Markup } from "../../page/markup.ts";
import { effortOf } from "../paper.ts";
import type { ErrorRate } from "../statistics.ts";
import { effortName, type Evaluated } from "./efforts.ts";
import { axis, bar, range } from "./error-bars.ts";

/** Evaluations by ensembles whose models' own results were kept. */
export function ensembles(evaluated: readonly Evaluated[]): Evaluated[] {
  return evaluated.filter(({ summary }) => summary.models.length > 0);
}

/** A bar of the top-5 error for each ensemble and for each of its models, in their order. */
export function modelTable(evaluated: readonly Evaluated[]): Markup {
  const rates = evaluated.flatMap(({ summary }) => [summary, ...summary.models].map(({ top5 }) => top5));
  const scale = linearScale(Math.min(1, Math.max(...rates.map(({ interval }) => interval.high), 0.01)));
  return html`<table class="errors models">
    <thead>
      <tr>
        <th scope="col">top-5 error</th>
        <th scope="col">${axis(scale)}</th>
        <th scope="col">top-5</th>
        <th scope="col" class="wide">95 % interval</th>
        <th scope="col">top-1</th>
      </tr>
    </thead>
    ${evaluated.map((each) => body(each, scale))}
  </table>`;
}

function body({ evaluation: { run }, summary, variant, color }: Evaluated, scale: LinearScale): Markup {
  const title = `${effortName(effortOf(run))}${variant === "" ? "" : `, ${variant}`}`;
  return html`<tbody>
    <tr class="effort">
      <th scope="rowgroup" colspan="2">${title}</th>
      <td></td>
      <td class="wide"></td>
      <td></td>
    </tr>
    ${row("together", summary, color, scale)}
    ${summary.models.map((each, index) => row(run.models[index].name, each, "alone", scale))}
  </tbody> `;
}

function row(
  name: string,
  { top1, top5 }: { readonly top1: ErrorRate; readonly top5: ErrorRate },
  color: string,
  scale: LinearScale,
): Markup {
  return html`<tr>
    <th scope="row" title="${name}">${name}</th>
    <td>${bar(top5, color, scale)}</td>
    <td>${percent(top5.rate, 2)}</td>
    <td class="wide">${top5.of > 0 ? range(top5.interval) : "–"}</td>
    <td>${percent(top1.rate, 2)}</td>
  </tr> `;
}
