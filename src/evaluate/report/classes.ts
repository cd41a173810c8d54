/** The classes that are recognised worst, and those that are taken for one another. */

import { count, percent } from "../../page/figures.ts";
import { html, type Markup, portion } from "../../page/markup.ts";
import type { ClassErrors, Confusion, Summary } from "../statistics.ts";
import type { ClassNames } from "./class-names.ts";
import { whisker } from "./error-bars.ts";

/**
 * Classes with errors by what is certain of their top-1 error, the interval's low end: a class of which one picture is
 * wrong among one comes behind one of which forty are among fifty.
 */
export function worstClasses({ classes }: Summary, most: number): ClassErrors[] {
  return classes
    .filter(({ top1 }) => top1.errors > 0)
    .sort(
      (a, b) =>
        b.top1.interval.low - a.top1.interval.low || b.top5.interval.low - a.top5.interval.low || a.class - b.class,
    )
    .slice(0, most);
}

/** A row a class: both errors as one bar, and what it is taken for most often. */
export function classTable(classes: readonly ClassErrors[], summary: Summary, names: ClassNames): Markup {
  const takenFor = new Map<number, Confusion>();
  for (const each of summary.confusions) if (!takenFor.has(each.class)) takenFor.set(each.class, each);
  const rows = classes.map(({ class: shown, top1, top5 }) => {
    const taken = takenFor.get(shown);
    return html`<tr>
      <th scope="row">${names.markup(shown)}</th>
      <td>
        <svg width="100%" height="22" aria-hidden="true">
          <rect class="top1" y="4" width="${portion(top1.rate)}" height="14" />
          <rect class="top5" y="4" width="${portion(top5.rate)}" height="14" />
          ${whisker(top1.interval, 1, 11)}
        </svg>
      </td>
      <td>${count(top1.errors)}<span class="of"> of ${count(top1.of)}</span></td>
      <td>${count(top5.errors)}</td>
      <td class="wide taken">${taken === undefined ? "" : names.markup(taken.predicted)}</td>
    </tr> `;
  });
  return html`<table class="classes">
    <thead>
      <tr>
        <th scope="col">class</th>
        <th scope="col">0 to 100 %</th>
        <th scope="col">top-1 errors</th>
        <th scope="col">top-5</th>
        <th scope="col" class="wide taken">taken most often for</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

/** A row a pair: how often the one is taken for the other, and the other way round. */
export function confusionTable(
  confusions: readonly Confusion[],
  { confusions: all }: Summary,
  names: ClassNames,
): Markup {
  const times = new Map(all.map((each) => [`${each.class}>${each.predicted}`, each.count]));
  const largest = Math.max(...confusions.map(({ count: pictures }) => pictures), 1);
  const timesBack = ({ class: shown, predicted }: Confusion) => times.get(`${predicted}>${shown}`) ?? 0;
  const someBack = confusions.some((each) => timesBack(each) > 0);
  const rows = confusions.map((each) => {
    const { class: shown, predicted, count: pictures, of } = each;
    return html`<tr>
      <th scope="row">${names.markup(shown)}</th>
      <td class="taken">${names.markup(predicted)}</td>
      <td>
        <svg width="100%" height="22" aria-hidden="true">
          <rect class="v0" y="4" width="${portion(pictures / largest)}" height="14" />
        </svg>
      </td>
      <td>${count(pictures)}<span class="of"> of ${count(of)}</span></td>
      <td class="wide">${percent(pictures / of)}</td>
      ${someBack ? html`<td class="wide">${timesBack(each) || ""}</td>` : html``}
    </tr> `;
  });
  return html`<table class="confusions">
    <thead>
      <tr>
        <th scope="col">shows</th>
        <th scope="col" class="taken">taken for</th>
        <th scope="col"><span class="hidden">how often, as a bar</span></th>
        <th scope="col">pictures</th>
        <th scope="col" class="wide">share</th>
        ${someBack ? html`<th scope="col" class="wide">the other way</th>` : html``}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}
