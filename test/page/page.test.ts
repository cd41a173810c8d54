/** What pages share: escaping, and the document around a page's body. */
import { expect, test } from "vitest";
import { documentOf } from "../../src/page/document.ts";
import { facts, tiles } from "../../src/page/lists.ts";
import { html } from "../../src/page/markup.ts";
import { unclosed } from "../support/markup.ts";

test("markup escapes text and attributes, and leaves markup alone", () => {
  expect(html`<a title="${'"'}">${html`<b />`}${[html`<i />`]}${"<"}${3}</a>`.text).toBe(
    '<a title="&quot;"><b /><i />&lt;3</a>',
  );
});

test("a document is well-formed, takes its title as text, and lets nothing be loaded", () => {
  const text = documentOf({
    title: "</title><script>",
    style: ".own { color: red; }",
    body: html`${tiles([["<name>", "<value>"]])}${facts([["<fact>", "<true>"]])}`,
  });
  expect(unclosed(text)).toEqual([]);
  expect(text).toContain("<title>&lt;/title&gt;&lt;script&gt;</title>");
  expect(text).toContain(".own { color: red; }");
  expect(text).toContain("default-src 'none'");
  expect(text).toContain("<dt>&lt;name&gt;</dt>");
  expect(text).toContain("<dd>&lt;true&gt;</dd>");
});
