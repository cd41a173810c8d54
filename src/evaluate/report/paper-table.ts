/** The evaluations' errors in the form of the paper's Table 3, beside the paper's own. */

import { count, percent, signedPercent } from "../../page/figures.ts";
import { html, type Markup } from "../../page/markup.ts";
import { errorRows, type ErrorRow } from "../paper.ts";
import type { Evaluated } from "./efforts.ts";

/** A row an evaluation, and one of the paper's for what no evaluation did. */
export function paperTable(evaluated: readonly Evaluated[]): Markup {
  const several = evaluated.some(({ variant }) => variant !== "");
  const body = errorRows(evaluated).map((each) => row(each, several));
  return html`<div class="scroll">
    <table class="paper">
      <thead>
        <tr>
          <th scope="col">models</th>
          <th scope="col">crops</th>
          <th scope="col" class="wide">cost</th>
          ${several ? html`<th scope="col" class="variant">evaluation</th>` : html``}
          <th scope="col">top-5 error</th>
          <th scope="col">against base</th>
          <th scope="col">the paper's</th>
          <th scope="col" class="wide">against base</th>
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}

/** @param several whether there is a column that tells evaluations apart */
function row(each: ErrorRow<Evaluated>, several: boolean): Markup {
  const { models, crops, cost, evaluated, top5Error, againstBase, paper, paperAgainstBase, isBase } = each;
  return html`<tr class="${evaluated === null ? "soft" : "run"}">
    <th scope="row">${models}</th>
    <td>${crops}</td>
    <td class="wide">${count(cost)}</td>
    ${several ? html`<td class="variant">${evaluated?.variant ?? ""}</td>` : html``}
    <td>${top5Error === null ? "" : percent(top5Error, 2)}</td>
    <td>${top5Error !== null && isBase ? "base" : signedPercent(againstBase)}</td>
    <td class="soft">${paper === null ? "" : percent(paper, 2)}</td>
    <td class="soft wide">${isBase ? "base" : signedPercent(paperAgainstBase)}</td>
  </tr> `;
}
