/** The evaluations' errors in the form of the paper's Table 3, beside the paper's own. */

import { count, percent } from "../../page/figures.ts";
import { html, type Markup } from "../../page/markup.ts";
import { costOf, type Effort, errorRows, paperAgainstBase, paperError } from "../paper.ts";
import { effortGroups, type Evaluated } from "./efforts.ts";

/** A row an evaluation, and one of the paper's for what no evaluation did. */
export function paperTable(evaluated: readonly Evaluated[]): Markup {
  const rows = errorRows(evaluated.map(({ evaluation: { run }, summary: { top5 } }) => ({ run, top5 })));
  const rowOf = new Map(evaluated.map((each, index) => [each, rows[index]]));
  const several = evaluated.some(({ variant }) => variant !== "");
  const body = effortGroups(evaluated).flatMap((group) =>
    group.evaluated.length === 0
      ? [row(group, several ? "" : null, null, null)]
      : group.evaluated.map((each) => {
          const { top5Error, againstBase } = rowOf.get(each)!;
          return row(group, several ? each.variant : null, top5Error, againstBase);
        }),
  );
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

/** @param variant null where there is no such column */
function row(effort: Effort, variant: string | null, error: number | null, againstBase: number | null): Markup {
  const paper = paperError(effort);
  return html`<tr class="${error === null ? "soft" : "run"}">
    <th scope="row">${effort.models}</th>
    <td>${effort.crops}</td>
    <td class="wide">${count(costOf(effort))}</td>
    ${variant === null ? html`` : html`<td class="variant">${variant}</td>`}
    <td>${error === null ? "" : percent(error, 2)}</td>
    <td>${error !== null && costOf(effort) === 1 ? "base" : signed(againstBase)}</td>
    <td class="soft">${paper === null ? "" : percent(paper, 2)}</td>
    <td class="soft wide">${costOf(effort) === 1 ? "base" : signed(paperAgainstBase(effort))}</td>
  </tr> `;
}

/** `−0.92 %`, with a minus that is as wide as a digit. */
function signed(difference: number | null): string {
  if (difference === null || Number.isNaN(difference)) return "";
  const rounded = percent(Math.abs(difference), 2);
  return `${difference < 0 ? "−" : "+"}${rounded}`;
}
