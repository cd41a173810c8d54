/** Names and their values: the few that matter as tiles, the rest as a plain list. */

import { html, type Markup } from "./markup.ts";

export type NamedValue = readonly [name: string, value: string];

/** The figures that a reader looks for first, large. */
export function tiles(values: readonly NamedValue[]): Markup {
  return html`<dl class="tiles">
    ${values.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

/** What else there is to know. */
export function facts(values: readonly NamedValue[]): Markup {
  return html`<dl class="facts">
    ${values.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
}
