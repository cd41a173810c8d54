/** The report: what it shows, and that nothing in it can do harm. */
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Evaluation } from "../../src/evaluate/record.ts";
import { evaluationPage, type ReportOptions } from "../../src/evaluate/report.ts";
import { classNames } from "../../src/evaluate/report/class-names.ts";
import { worstClasses } from "../../src/evaluate/report/classes.ts";
import { mistakes } from "../../src/evaluate/report/gallery.ts";
import { summarise } from "../../src/evaluate/statistics.ts";
import { IMAGENET_LABELS } from "../../src/labels/imagenet.ts";
import { describeBrowser, launchChromium } from "../support/chromium.ts";
import { evaluationOf, randomPictures, seen, unreadable } from "../support/evaluations.ts";
import { unclosed } from "../support/markup.ts";
import { freshSeed, uniform } from "../support/random.ts";

/** A picture of one pixel. */
const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg==";
const EVIL = `"><script>alert('1')</script><img src=x onerror=alert(1)>&\u0007`;

const pictures = randomPictures(uniform(freshSeed()), 600, 12);
const models = Array.from({ length: 7 }, (_, index) => ({ name: `model-${index}`, sha256: "0f".repeat(32) }));
/** Of seven models alone as of the ensemble, but for pictures that some of them mistake. */
const byModels = randomPictures(uniform(3), 600, 12).map((each) =>
  "error" in each
    ? each
    : { ...each, models: models.map((_, model) => (each.number % (model + 2) === 0 ? [13, 14] : each.top5)) },
);
const evaluations: ReportOptions["evaluations"] = [
  evaluationOf(pictures),
  evaluationOf(randomPictures(uniform(1), 600, 12), { run: { precision: "float16" } }),
  evaluationOf(randomPictures(uniform(2), 600, 12), { run: { crops: 144, protocol: "crops144" } }),
  evaluationOf(byModels, { run: { crops: 10, protocol: "crops10", models } }),
];

function page(changes: Partial<ReportOptions> = {}): Promise<string> {
  return evaluationPage({
    evaluations,
    subject: "val",
    date: "2026-01-02T03:04:05Z",
    thumbnail: () => Promise.resolve(PIXEL),
    ...changes,
  });
}

/** A page of one evaluation. */
function pageOf(evaluation: Evaluation, changes: Partial<ReportOptions> = {}): Promise<string> {
  return page({ evaluations: [evaluation], ...changes });
}

describe("the page", () => {
  test("is well-formed, and asks nothing of anybody", async () => {
    const text = await page();
    expect(unclosed(text)).toEqual([]);
    expect(text).not.toMatch(/https?:|<script|@import|url\(| on[a-z]+=|<(iframe|object|embed)/i);
    const addresses = [...text.matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, target]) => target);
    expect(new Set(addresses)).toEqual(new Set(["data:,", PIXEL]));
    expect(text).toContain("default-src 'none'");
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("names evaluations that run alike, as they are called or by their place", async () => {
    const alike: ReportOptions["evaluations"] = [evaluations[0], evaluations[0]];
    const cells = (text: string) => [...text.matchAll(/<td class="variant">([^<]+)</g)].map(([, name]) => name);
    expect(cells(await page({ evaluations: alike, names: ["a.state", EVIL] }))).toEqual([
      "a.state",
      expect.stringContaining("&lt;script") as string,
    ]);
    expect(cells(await page({ evaluations: alike }))).toEqual(["evaluation 1", "evaluation 2"]);
  });

  test("counts one unreadable picture as an error, and several as errors", async () => {
    const broken = (count: number) =>
      evaluationOf([
        seen(1, 1, [1, 2, 3, 4, 5]),
        ...Array.from({ length: count }, (_, index) => unreadable(index + 2, 1)),
      ]);
    const text = async (count: number) => (await pageOf(broken(count))).replace(/\s+/g, " ");
    expect(await text(1)).toContain("1 picture, counted as an error.");
    expect(await text(2)).toContain("2 pictures, counted as errors.");
  });

  test("shows every effort of the paper and of the evaluations, with errors as summed", async () => {
    const text = await page();
    const efforts = [...text.matchAll(/<th scope="rowgroup"[^>]*>([^<]*)</g)].map(([, name]) => name);
    const all = ["1 model, 1 crop", "1 model, 10 crops", "1 model, 144 crops", "7 models, 1 crop"];
    expect(efforts.slice(0, 6)).toEqual([...all, "7 models, 10 crops", "7 models, 144 crops"]);
    // Of top-1 errors the paper has none.
    expect(efforts.slice(6, 9)).toEqual(["1 model, 1 crop", "1 model, 144 crops", "7 models, 10 crops"]);
    for (const each of evaluations) {
      const { top1, top5 } = summarise(each);
      for (const { rate } of [top1, top5]) expect(text).toContain(`<td>${(100 * rate).toFixed(2)} %</td>`);
    }
    for (const paper of ["10.07", "9.15", "7.89", "8.09", "7.62", "6.67"]) expect(text).toContain(`${paper} %`);
  });

  test("draws a bar as long as its error, and its interval where it lies", async () => {
    const wrong = Array.from({ length: 40 }, (_, number) => seen(number, 9, number < 10 ? [1, 2, 3, 4, 5] : [9]));
    const text = await pageOf(evaluationOf(wrong));
    const bar = text.slice(text.indexOf("this engine"));
    // 10 of 40: 14.187 to 40.194 % (SciPy), on an axis of 0 to 50 %.
    expect(/<rect\s+class="v0"[^>]*width="([\d.]+)%"/.exec(bar)![1]).toBe("50");
    expect(/class="whisker"\s*>\s*<line\s+x1="([\d.]+)%"\s+x2="([\d.]+)%"/.exec(bar)!.slice(1)).toEqual([
      "28.374",
      "80.388",
    ]);
  });

  test("shows of an ensemble what each of its models comes to by itself, and of one model no such thing", async () => {
    const ensemble = evaluations[3];
    const text = await pageOf(ensemble);
    const section = text.slice(text.indexOf("<h2>Each model alone</h2>"), text.indexOf("<h2>The worst classes</h2>"));
    const rows = [...section.matchAll(/<tr>\s*<th scope="row"[^>]*>([^<]*)<[^]*?<\/tr>/g)].map(([row, name]) => [
      name,
      ...[...row.matchAll(/<td(?: class="wide")?>([\d.– ]+ %)</g)].map(([, value]) => value),
    ]);
    const shown = (rate: number) => `${(100 * rate).toFixed(2)} %`;
    const summary = summarise(ensemble);
    const names = ["together", ...models.map(({ name }) => name)];
    expect(rows).toEqual(
      [summary, ...summary.models].map(({ top1, top5 }, index) => [
        names[index],
        shown(top5.rate),
        `${(100 * top5.interval.low).toFixed(2)} – ${shown(top5.interval.high)}`,
        shown(top1.rate),
      ]),
    );
    expect(new Set(rows.map(([, rate]) => rate)).size).toBe(8);
    for (const each of [evaluations[0], { ...ensemble, pictures: randomPictures(uniform(3), 600, 12) }]) {
      expect(await pageOf(each)).not.toContain("Each model alone");
    }
  });

  test("names what was run", async () => {
    const text = await page({ evaluations: [evaluations[3]] });
    for (const { name } of models) expect(text).toContain(`${name}, SHA-256 ${"0f".repeat(32)}`);
    expect(text).toContain("A GPU");
    expect(text).toContain("10 crops (crops10)");
    expect(text).not.toContain("Shard");
    const parts = ["A GPU", "B"].map((adapter, index) => ({ shard: { index: index + 1, of: 2 }, adapter, batch: 4 }));
    const merged = await pageOf({ ...evaluations[0], computedBy: parts });
    expect(merged).toMatch(/<dt>Shard 1 of 2<\/dt>\s*<dd>A GPU<\/dd>/);
    expect(merged).toMatch(/<dt>Shard 2 of 2<\/dt>\s*<dd>B<\/dd>/);
    expect(text).toContain("googlenet-wgsl 0.1.0");
    expect(text).toMatch(/600 of 12 classes, \d+ of them unreadable and counted as errors/);
  });

  test("lists what could not be read, and says each name once", async () => {
    const text = await pageOf(evaluationOf([unreadable(0, 1, "0.jpg: it is empty; give a picture"), unreadable(1, 2)]));
    const list = text.slice(text.indexOf('<ul class="unreadable">'));
    expect(list).toContain('0.jpg <span class="soft">it is empty; give a picture</span>');
    expect(list).toContain('1.jpg <span class="soft">it is no picture</span>');
  });

  test("takes every name as text", async () => {
    const hostile = [
      { ...seen(0, 1, [2, 3, 4, 5, 6]), image: EVIL },
      { ...unreadable(1, 1, EVIL), image: EVIL },
    ];
    const model = { name: EVIL, sha256: EVIL };
    const run = { models: [model, model], precision: EVIL, protocol: EVIL, backend: EVIL };
    const both = hostile.map((each) => ("error" in each ? each : { ...each, models: [[1], [2]] }));
    const text = await pageOf(evaluationOf(both, { run, adapter: EVIL }), {
      subject: EVIL,
      labels: Array.from({ length: 10 }, (_, index) => ({ id: `${index}${EVIL}`, name: EVIL })),
      thumbnail: () => Promise.resolve(`data:image/png;base64,AA" onerror="alert(1)`),
    });
    expect(text).not.toMatch(/<script|<img/);
    expect(text).not.toContain("\u0007");
    expect(text.split("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;").length).toBeGreaterThan(8);
    expect(unclosed(text)).toEqual([]);
  });

  test.each([
    ["no picture", []],
    ["none that can be read", [unreadable(0, 1), unreadable(1, 2)]],
    ["no mistake", [seen(0, 1, [1, 2, 3, 4, 5]), seen(1, 2, [2, 1, 3, 4, 5])]],
    ["a class that has no name", [seen(0, 4000, [5000, 2, 3, 4, 5])]],
  ])("stands with %s", async (_, few) => {
    for (const skipUnreadable of [false, true]) {
      const text = await pageOf(evaluationOf(few, { skipUnreadable, seconds: 0 }));
      expect(text).not.toMatch(/NaN|Infinity|undefined/);
      expect(unclosed(text)).toEqual([]);
    }
  });

  test("of very many pictures has bounded lists", async () => {
    const many = Array.from({ length: 3000 }, (_, number) =>
      number % 2 === 0 ? unreadable(number, 3) : seen(number, number % 1000, [(number + 1) % 1000, 1, 2, 3, 4]),
    );
    let asked = 0;
    const text = await pageOf(evaluationOf(many), {
      thumbnail: () => {
        asked++;
        return Promise.resolve(null);
      },
    });
    expect(asked).toBe(24);
    expect(text.match(/no thumbnail/g)).toHaveLength(24);
    expect(text).toContain("… and 500 more");
    expect(text.length).toBeLessThan(400_000);
  });

  test("of a shard without pictures names no device", async () => {
    const text = await pageOf({ ...evaluationOf([], { shard: { index: 3, of: 4 } }), adapter: "", computedBy: [] });
    expect(text).toMatch(/val · shard 3 of 4 · 1 model, 1 crop · float32 · 2026-01-02\s/);
  });

  test("refuses evaluations of other pictures, or of other parts", async () => {
    const [first] = evaluations;
    const other = evaluationOf(pictures, { run: { pictures: "ee".repeat(32) } });
    await expect(page({ evaluations: [first, other] })).rejects.toThrow(/not of the same pictures/);
    const part = evaluationOf(pictures, { shard: { index: 1, of: 2 } });
    await expect(page({ evaluations: [first, part] })).rejects.toThrow(/merge shards first/);
    expect(await pageOf(part)).toContain("shard 1 of 2");
  });

  test("refuses an evaluation that is not finished: its figures would be those of other pictures", async () => {
    const begun = evaluationOf(pictures.slice(0, 599), { run: { total: 600 } });
    const refused = (name: string) => ({
      code: "evaluation",
      message: `${name}: it lacks 1 of its pictures; let it be finished by the command that began it`,
    });
    await expect(pageOf(begun)).rejects.toMatchObject(refused("the evaluation"));
    await expect(page({ evaluations: [evaluations[0], begun] })).rejects.toMatchObject(refused("evaluation 2"));
    const shard = { index: 2, of: 2 };
    await expect(pageOf(evaluationOf(pictures, { shard, run: { total: 1202 } }))).rejects.toMatchObject(
      refused("the evaluation"),
    );
  });
});

test("classes are worst where that is most certain", () => {
  const all = [
    seen(0, 7, [1]),
    ...Array.from({ length: 50 }, (_, index) => seen(index, 8, index < 40 ? [1] : [8])),
    ...Array.from({ length: 50 }, (_, index) => seen(index, 9, [9])),
  ];
  expect(worstClasses(summarise(evaluationOf(all)), 5).map((each) => each.class)).toEqual([8, 7]);
  expect(worstClasses(summarise(evaluationOf(all)), 1)).toHaveLength(1);
});

test("mistakes are the most probable ones first, of pictures that could be read", () => {
  const all = [
    seen(0, 7, [1], [0.4]),
    seen(1, 7, [1], [0.9]),
    unreadable(2, 7),
    seen(3, 7, [7], [1]),
    seen(4, 7, [2], [0.9]),
  ];
  expect(mistakes(all, 10).map(({ number }) => number)).toEqual([1, 4, 0]);
  expect(mistakes(all, 1).map(({ number }) => number)).toEqual([1]);
});

test("classes of the same name are told apart", () => {
  const names = classNames(IMAGENET_LABELS);
  const texts = IMAGENET_LABELS.map((_, index) => names.text(index));
  expect(new Set(texts).size).toBe(1000);
  expect(texts[0]).toBe("tench");
  expect(texts.filter((text) => text.startsWith("crane"))).toEqual(["crane (n02012849)", "crane (n03126707)"]);
});

describeBrowser("the page in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser.close());

  /** Opens it, and notes what it says or asks for. */
  async function open(
    text: string,
    options: Parameters<Browser["newPage"]>[0],
  ): Promise<{ tab: Page; said: string[] }> {
    const tab = await browser.newPage(options);
    const said: string[] = [];
    tab.on("console", (message) => said.push(message.text()));
    tab.on("pageerror", (error) => said.push(String(error)));
    tab.on("dialog", (dialog) => {
      said.push(dialog.message());
      void dialog.dismiss();
    });
    tab.on("request", (request) => {
      if (!request.url().startsWith("data:")) said.push(request.url());
    });
    await tab.setContent(text, { waitUntil: "load" });
    return { tab, said };
  }

  test.each([
    ["a desktop", { viewport: { width: 1280, height: 900 }, colorScheme: "light" }],
    ["a telephone, in the dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
  ] as const)("on %s says nothing, asks for nothing, fits, and can be read by anybody", async (_, options) => {
    const { tab, said } = await open(await page(), options);
    expect(await tab.title()).toMatch(/^[\d.]+ % top-5 error on val$/);
    expect(await tab.locator("ul.gallery img").count()).toBe(24);
    expect(await tab.locator("table.errors rect.paper").count()).toBe(6);
    expect(await tab.locator("table.classes tbody tr").count()).toBe(12);
    expect(await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await tab.evaluate(axe.source);
    const { violations } = await tab.evaluate<axe.AxeResults>("axe.run()");
    expect(violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary])).toEqual([]);
    expect(said).toEqual([]);
    await tab.close();
  });

  test("runs nothing of what file names hold", async () => {
    const hostile = [
      { ...seen(0, 1, [2, 3, 4, 5, 6]), image: EVIL },
      { ...unreadable(1, 1, EVIL), image: EVIL },
    ];
    const { tab, said } = await open(await pageOf(evaluationOf(hostile), { subject: EVIL }), {});
    expect(await tab.locator("script, main img[src='x']").count()).toBe(0);
    expect(await tab.locator("p.file").textContent()).toBe(EVIL.replace("\u0007", " "));
    expect(said).toEqual([]);
    await tab.close();
  });
});
