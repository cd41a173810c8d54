/** The API's pages (`npm run docs`): made without a warning, and every link leads somewhere. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Application } from "typedoc";
import { afterAll, beforeAll, expect, test } from "vitest";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(path.join(tmpdir(), "googlenet docs "));
/** Each file's text; folders and files that nothing in is linked to have none. */
const files = new Map<string, string>();

beforeAll(async () => {
  const typedoc = await Application.bootstrapWithPlugins({
    options: REPOSITORY,
    tsconfig: path.join(REPOSITORY, "tsconfig.build.json"),
  });
  const project = await typedoc.convert();
  if (!project) throw new Error("typedoc did not understand the sources");
  typedoc.validate(project);
  await typedoc.generateDocs(project, folder);
  expect([typedoc.logger.errorCount, typedoc.logger.warningCount], "errors and warnings, see above").toEqual([0, 0]);
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    files.set(name, /\.(html|svg)$/.test(name) ? readFileSync(path.join(folder, name), "utf8") : "");
  }
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("has a page for what a user starts with", () => {
  for (const page of [
    "classes/index.Session.html",
    "classes/index.EngineError.html",
    "functions/node.openModel.html",
  ]) {
    expect([...files.keys()]).toContain(page);
  }
});

test("no link is broken", () => {
  const broken: string[] = [];
  let links = 0;
  for (const [page, html] of files) {
    if (!page.endsWith(".html")) continue;
    for (const [, href] of html.matchAll(/ (?:href|src)="([^"]+)"/g)) {
      if (/^(https?|data|mailto):/.test(href)) continue;
      links++;
      const [file, anchor] = href.replaceAll("&amp;", "&").split("#");
      const target = file === "" ? page : path.join(path.dirname(page), decodeURIComponent(file));
      const text = files.get(path.normalize(target));
      const there = text !== undefined && (!anchor || text.includes(`id="${decodeURIComponent(anchor)}"`));
      if (!there) broken.push(`${page}: ${href}`);
    }
  }
  expect(links).toBeGreaterThan(1000);
  expect(broken).toEqual([]);
});
