/** A page as a document: one file that asks nothing of anybody, without scripts, and says so to the browser. */

import { html, Markup } from "./markup.ts";
import { styleSheet } from "./style.ts";

export interface PageParts {
  /** What a browser's tab says. */
  readonly title: string;
  /** Style of its own, behind the style sheet that all pages share. */
  readonly style: string;
  readonly body: Markup;
}

/** The page whole, to be written as UTF-8. Pictures may be data; nothing is loaded, whatever the body holds. */
export function documentOf({ title, style, body }: PageParts): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${new Markup(styleSheet + style)}
        </style>
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html> `;
  return page.text;
}
