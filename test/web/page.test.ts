/**
 * The page in a real browser. Running the network on SwiftShader takes some five seconds of a core, so each test that
 * runs it looks at all that one run shows.
 */

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { bundlePage } from "../../scripts/web/bundle.mjs";
import { servePage } from "../../scripts/web/serve.ts";
import { runReference } from "../../src/cpu/reference.ts";
import { readNpy } from "../../src/formats/npy.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch, subgraphFor } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { preprocess } from "../../src/image/preprocess.ts";
import { topK } from "../../src/labels/labels.ts";
import { widestTolerances } from "../../src/verify/compare.ts";
import { layoutGraph, neighbour } from "../../src/web/graph-layout.ts";
import { seededWeights } from "../../src/weights/seed.ts";
import "../support/close.ts";
import { describeBrowser, launchChromium, launchChromiumWithoutAdapter } from "../support/chromium.ts";
import { freshSeed, uniform } from "../support/random.ts";

const trained = process.env.GOOGLENET_WEIGHTS;
const ROOT = path.resolve(import.meta.dirname, "../..");
const SEEDED = { source: "seed:1", from: "option" } as const;

/** Lets a test lose the worker's device, as a driver might. */
const LOSING = `{
  const request = GPUAdapter.prototype.requestDevice;
  let device;
  GPUAdapter.prototype.requestDevice = async function (...rest) { return (device = await request.apply(this, rest)); };
  new BroadcastChannel("test").onmessage = () => device.destroy();
}`;

/** Lets a test read all that was said of what a picture waits for. */
const COLLECTING_HINTS = `
  globalThis.hints = [];
  new MutationObserver(() => {
    const text = document.getElementById("results-hint")?.textContent;
    if (text !== undefined && text !== hints.at(-1)) hints.push(text);
  }).observe(document, { subtree: true, childList: true, characterData: true });`;

async function collectHints(page: Page): Promise<void> {
  await page.addInitScript(COLLECTING_HINTS);
}

describeBrowser("the page", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "googlenet page "));
  const built = path.join(folder, "web");
  let browser: Browser;
  let bare: Browser;

  beforeAll(async () => {
    await bundlePage(ROOT, built);
    const worker = readFileSync(path.join(built, "worker.js"));
    writeFileSync(path.join(built, "worker.js"), LOSING);
    appendFileSync(path.join(built, "worker.js"), worker);
    browser = await launchChromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
    bare = await launchChromiumWithoutAdapter("--host-resolver-rules=MAP googlenet.example 127.0.0.1");
  });
  afterAll(async () => {
    await browser.close();
    await bare.close();
    rmSync(folder, { recursive: true });
  });

  /** A page on a server of its own, opened, and the requests that it made. */
  async function open(
    choice: Parameters<typeof servePage>[0]["choice"],
    options: BrowserContextOptions & { in?: Browser; as?: string; before?: (page: Page) => Promise<void> } = {},
  ): Promise<{ page: Page; requests: string[] }> {
    const site = await servePage({ folder: built, choice, port: 0, host: "localhost" });
    const { in: where = browser, as = "localhost", before, ...settings } = options;
    const context = await where.newContext({ viewport: { width: 1280, height: 900 }, ...settings });
    onTestFinished(async () => {
      await context.close();
      await site[Symbol.asyncDispose]();
    });
    const page = await context.newPage();
    // SwiftShader on a busy machine takes its time.
    page.setDefaultTimeout(100_000);
    const requests: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    onTestFinished(() => expect(faults).toEqual([]));
    await before?.(page);
    const origin = site.origin.replace("localhost", as);
    await page.goto(`${origin}/`);
    onTestFinished(() =>
      expect(requests.filter((url) => !/^(blob|data):/.test(url) && !url.startsWith(origin))).toEqual([]),
    );
    return { page, requests };
  }

  test(
    "labels a picture as the reference does, chosen while weights load; goes on after a loss; shows any blob",
    {
      timeout: 300_000,
    },
    async () => {
      const seed = freshSeed();
      const { file, data } = await randomPicture(seed);
      const { page } = await open(SEEDED, {
        before: collectHints,
      });
      // Nothing is loaded yet.
      await page.locator("#picture-file").setInputFiles({ name: "noise.png", mimeType: "image/png", buffer: file });
      await page.locator("#results[aria-busy=true]").waitFor();
      await page.evaluate('new BroadcastChannel("test").postMessage("lose")');
      await page.getByRole("alert").getByText("The GPU was lost").waitFor();
      await page.locator("#results[aria-busy=false]").waitFor();
      expect(await page.locator("#bars").isVisible(), "no invented labels").toBe(false);
      const hints = await page.evaluate<string[]>("hints");
      expect(hints).toContain("noise.png is labelled as soon as the kernels are compiled.");
      const expected = reference(data, ["prob", "inception_3a/output", "loss1/conv.linear"]);
      // Layers may be chosen before there is anything to show of them.
      await page.locator('[data-blob="loss1/conv"]').click();
      await page.locator("#linear").check();
      await page.locator('[data-blob="inception_3a/output"]').click();
      await page.getByRole("button", { name: "Go on" }).click();

      await page.locator("#bars li").first().waitFor();
      const { data: probabilities } = (await expected).prob;
      const shares = await page.locator("#bars data").all();
      expect(shares).toHaveLength(5);
      for (const [rank, { probability }] of topK(probabilities, 5).entries()) {
        const shown = Number(await shares[rank].getAttribute("value"));
        const ofClass = probabilities[Number(await shares[rank].getAttribute("data-class"))];
        expect(Math.abs(shown - ofClass), `seed ${seed}`).toBeLessThanOrEqual(widestTolerances.probability);
        expect(Math.abs(shown - probability), `seed ${seed}`).toBeLessThanOrEqual(widestTolerances.probability);
      }
      expect(await page.locator("#timing-text").innerText()).toMatch(/^[\d.]+ (m?s) (on the GPU|from submitting)/);
      expect(await page.locator("#results-hint").innerText()).toContain("made up");
      expect(await page.locator("[data-notice=lost]").count()).toBe(0);
      // The maps on show come with the labels.
      expect(await page.locator("#activations-title").innerText()).toBe("inception_3a/output");
      await expectBlob(page, (await expected)["inception_3a/output"], 256);
      await expectAccessible(page);
      await expectNarrow(page);
      await expectWholeDrawing(page);

      // By the keyboard alone through the graph, to a head that labels nothing, and of that to what fusion removes.
      await page.locator("#again").focus();
      await page.keyboard.press("Tab");
      expect(await focused(page)).toMatch(/^inception_3a\/output: .*, 256 maps of 28×28$/);
      await page.keyboard.press("Home");
      expect(await focused(page)).toMatch(/^data: .*, 3 maps of 224×224$/);
      for (const key of keysTo("loss1/conv")) await page.keyboard.press(key);
      expect(await focused(page)).toBe("loss1/conv: 1×1 convolution and ReLU, 128 maps of 4×4");
      await page.keyboard.press("Enter");
      await page.locator('[data-blob="loss1/conv"][aria-pressed=true]').waitFor();
      await page.locator("#activations-body:not(.waiting)").waitFor();
      expect(await page.locator("#scale-text").innerText()).toMatch(/^Smallest value of all maps -/);
      const blob = (await expected)["loss1/conv.linear"];
      await expectBlob(page, blob, 128);
      await page.locator('[data-blob="loss1/conv"]').focus();
      for (let tabs = 0; tabs < 8 && (await focused(page)) !== "Feature maps"; tabs++) await page.keyboard.press("Tab");
      await page.keyboard.press("End");
      expect(await page.locator("#grid").getAttribute("aria-valuetext")).toMatch(/^Map 127 of 128, from /);
      await page.keyboard.press("Tab");
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowDown");
      const value = Number(await page.locator("#lens-text data").getAttribute("value"));
      expect(Math.abs(value - blob.data[127 * 16 + 4])).toBeLessThanOrEqual(
        widestTolerances.activation * largest(blob),
      );
    },
  );

  test.skipIf(trained === undefined)(
    "keeps trained weights (GOOGLENET_WEIGHTS) in the browser's cache, and sees a clock in its own drawing",
    async () => {
      const { page, requests } = await open({ source: trained!, from: "environment" });
      const loads = () => requests.filter((url) => url.endsWith("/weights")).length;
      await page.locator("#weights-actions").waitFor();
      expect(await page.locator("#status").innerText()).toContain("bvlc_googlenet, 28.0 MB, kept in this browser");
      expect(loads()).toBe(1);
      await page.locator("#bars li").first().waitFor();
      expect(await page.locator("#bars .name").first().innerText()).toBe("analog clock");
      expect(await page.locator("#announcement").innerText()).toMatch(/^analog clock, 9\d\.\d %$/);
      // The first layer's maps came with the labels.
      expect(await page.locator("#grid").getAttribute("aria-valuetext")).toMatch(/^Map 0 of 64, from 0 to \d/);
      await page.reload();
      await page.locator("#weights-actions").waitFor();
      expect(loads(), "nothing more was loaded").toBe(1);

      // A file that is no weights leaves these in use.
      const junk = {
        name: "junk.safetensors",
        mimeType: "application/octet-stream",
        buffer: Buffer.from("no weights"),
      };
      await page.locator("#weights-file").setInputFiles(junk);
      await page.getByRole("alert").getByText("These weights can't be used").waitFor();
      expect(await page.locator("#notices").innerText()).toMatch(/junk\.safetensors: .*; /);
      expect(await page.locator("#status").innerText()).toContain("bvlc_googlenet");
    },
  );

  test("without weights says where they come from, and refuses what is none; what is no picture, too", async () => {
    const { page } = await open(null);
    const notice = page.getByRole("alert").filter({ hasText: "The network has no weights yet" });
    await notice.waitFor();
    expect(await notice.getByRole("link", { name: "bvlc_googlenet.caffemodel" }).getAttribute("href")).toMatch(/^http/);
    await page.locator("#weights-file").setInputFiles({
      name: "cut.caffemodel",
      mimeType: "application/octet-stream",
      buffer: Buffer.from([0x0a, 0xff, 0xff, 0x03, 1, 2]),
    });
    await page.getByRole("alert").getByText("These weights can't be used").waitFor();
    expect(await page.locator("#notices").innerText()).toMatch(/cut\.caffemodel: .*; /);

    await page
      .locator("#picture-file")
      .setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no") });
    await expect
      .poll(() => page.locator("#picture-error").innerText())
      .toBe("no.png: this browser cannot decode it; give a JPEG, PNG, WebP, GIF, AVIF or SVG");
    await page.getByRole("button", { name: "Sample: Honeycomb" }).click();
    await page.getByRole("img", { name: "The chosen picture: Honeycomb" }).waitFor();
    expect(await page.locator("#picture-error").isVisible()).toBe(false);

    // The camera, by the keyboard; this Chromium plays one.
    await page.locator("#open-camera").focus();
    await page.keyboard.press("Enter");
    await page.locator("#camera-take:enabled").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("img", { name: "The chosen picture: from the camera" }).waitFor();
    expect(await page.locator("#camera").isVisible()).toBe(false);
  });

  test("says why the camera gives no picture, and what to do", async () => {
    const { page } = await open(null, { in: bare });
    const refused = (name: string) => `navigator.mediaDevices.getUserMedia = async () => {
      throw new DOMException("because", "${name}");
    }`;
    for (const [answer, text] of [
      [refused("NotAllowedError"), /^The camera was not allowed\. Allow it .* and open this again\.$/],
      [refused("NotFoundError"), /^No camera was found\. Connect one, or choose a picture instead\.$/],
      [refused("NotReadableError"), /^The camera is in use by another program\. Close that, and open this again\.$/],
      [refused("AbortError"), /^No picture can be had from a camera \(because\)\. Choose one instead\.$/],
      [
        'Object.defineProperty(navigator, "mediaDevices", { value: undefined })',
        /^No picture can be had from a camera \(this browser gives none to this page\)\. Choose one instead\.$/,
      ],
    ] as const) {
      await page.evaluate(answer);
      await page.locator("#open-camera").click();
      await expect.poll(() => page.locator("#camera-text").innerText()).toMatch(text);
      expect(await page.locator("#camera-take").isEnabled()).toBe(false);
      await page.locator("#camera-close").click();
    }
  });

  test("lets the camera go when its dialog is closed, even while the browser still asks", async () => {
    const { page } = await open(null);
    // The first answer comes only when it is called for: `answer()`.
    await page.evaluate(`{
      const give = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      globalThis.streams = [];
      navigator.mediaDevices.getUserMedia = async (constraints) => {
        const asked = streams.push(undefined) - 1;
        if (asked === 0) await new Promise((resolve) => (globalThis.answer = resolve));
        return (streams[asked] = await give(constraints));
      };
    }`);
    const states = () => page.evaluate("streams.map((stream) => stream?.getTracks().map((track) => track.readyState))");
    await page.locator("#open-camera").click();
    await page.locator("#camera-close").click();
    await page.locator("#open-camera").click();
    await page.locator("#camera-take:enabled").waitFor();
    await page.evaluate("answer()");
    await expect.poll(states).toEqual([["ended"], ["live"]]);
    expect(await page.locator("#camera-take").isEnabled()).toBe(true);
    await page.locator("#camera-close").click();
    await expect.poll(states).toEqual([["ended"], ["ended"]]);
  });

  test("takes what is dropped and what is pasted", async () => {
    const { page } = await open(null, { in: bare });
    const drawing =
      "<svg xmlns='http://www.w3.org/2000/svg' width='64' height='48'><rect width='64' height='48' fill='teal'/></svg>";
    const transfer = (name: string) =>
      `(() => { const files = new DataTransfer(); files.items.add(new File([${JSON.stringify(drawing)}], ${JSON.stringify(name)}, { type: "image/svg+xml" })); return files; })()`;
    await page.evaluate(
      `document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: ${transfer("dropped.svg")}, bubbles: true, cancelable: true }))`,
    );
    await page.getByRole("img", { name: "The chosen picture: dropped.svg" }).waitFor();
    await page.evaluate(
      `document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: ${transfer("pasted.svg")}, bubbles: true }))`,
    );
    await page.getByRole("img", { name: "The chosen picture: pasted.svg" }).waitFor();
  });

  describe("where it cannot compute says what is missing and what to do:", () => {
    test("no adapter", async () => {
      const { page, requests } = await open(SEEDED, { in: bare, colorScheme: "dark" });
      await page.getByRole("alert").getByText("There is no GPU to compute on").waitFor();
      expect(await page.locator("#notices").innerText()).toContain("Turn on hardware acceleration");
      expect(
        requests.some((url) => url.endsWith("weights.json")),
        "weights would be of no use",
      ).toBe(false);
      await expectNarrow(page);
    });

    test("no WebGPU at all", async () => {
      const { page } = await open(SEEDED, {
        in: bare,
        before: async (fresh) => {
          await fresh.addInitScript("delete Navigator.prototype.gpu");
        },
      });
      await page.getByRole("alert").getByText("This browser has no WebGPU").waitFor();
      // The camera is refused with a reason, too: this browser has none.
      await page.locator("#open-camera").click();
      await expect
        .poll(() => page.locator("#camera-text").innerText())
        .toMatch(/^(No camera was found|The camera was not allowed)/);
    });

    test("an address that is not secure", async () => {
      const { page } = await open(SEEDED, { in: bare, as: "googlenet.example" });
      await page.getByRole("alert").getByText("not secure enough for WebGPU").waitFor();
      expect(await page.locator("#notices").innerText()).toMatch(/Open it as http:\/\/localhost:\d+ /);
    });
  });
});

/** The arrow keys that lead from the input to a layer. */
function keysTo(layer: string): readonly string[] {
  const layout = layoutGraph(inferShapesForBatch(googLeNet({ heads: "all" }), 1));
  const keys = new Map<string, readonly string[]>([["data", []]]);
  for (const [id, way] of keys) {
    for (const direction of ["right", "down", "up"] as const) {
      const next = neighbour(layout, id, direction);
      const key = `Arrow${direction[0].toUpperCase()}${direction.slice(1)}`;
      if (next !== undefined && !keys.has(next)) keys.set(next, [...way, key]);
    }
  }
  return keys.get(layer)!;
}

/** Noise as a PNG, and as the network takes it. */
async function randomPicture(seed: number): Promise<{ file: Buffer; data: Tensor }> {
  const [width, height] = [97, 61];
  const next = uniform(seed);
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => Math.floor(256 * next()));
  const file = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  const data = new Float32Array(3 * 224 * 224);
  preprocess({ width, height, data: pixels }, "squash256", data);
  return { file, data: { shape: [1, 3, 224, 224], data } };
}

/** Blobs by the reference, on the weights that the page is served. */
async function reference(data: Tensor, blobs: readonly string[]): Promise<Record<string, Tensor>> {
  const whole = googLeNet({ heads: "all" });
  const { parameters } = inferShapesForBatch(whole, 1);
  const shaped = inferShapesForBatch(subgraphFor(whole, blobs), 1);
  const values = await runReference(shaped, seededWeights(parameters, 1), new Map([["data", data]]), { keep: blobs });
  return Object.fromEntries(blobs.map((id) => [id, values.get(id)!]));
}

/** The page shows as many maps, and what it saves is the blob. */
async function expectBlob(page: Page, expected: Tensor, count: number): Promise<void> {
  expect(await page.locator("#activations-text").innerText()).toContain(`${count} maps of`);
  expect(await page.locator("#grid").getAttribute("aria-valuemax")).toBe(String(count - 1));
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save-blob").click()]);
  const saved = readNpy(readFileSync(await download.path()), "saved");
  expect(saved).toBeAllclose(expected, { relative: widestTolerances.activation });
}

/** The drawing fits windows of 1000 pixels and more, and is as wide as it was made where there is room. */
async function expectWholeDrawing(page: Page): Promise<void> {
  const size = page.viewportSize()!;
  const right = () => page.evaluate<number>("document.querySelector('[data-blob=prob]').getBoundingClientRect().right");
  for (const width of [1000, 1200, 1600]) {
    await page.setViewportSize({ width, height: 900 });
    await expect.poll(right, { message: `at ${width}` }).toBeLessThan(width);
    const scroller = "document.getElementById('graph-scroll')";
    expect(await page.evaluate(`${scroller}.scrollWidth - ${scroller}.clientWidth`), `at ${width}`).toBe(0);
  }
  await page.setViewportSize(size);
}

/** Nothing but the drawing of the graph is wider than a telephone. */
async function expectNarrow(page: Page): Promise<void> {
  const size = page.viewportSize()!;
  await page.setViewportSize({ width: 360, height: 740 });
  await expect.poll(() => page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  await page.setViewportSize(size);
}

/** What axe looks for: names, roles, contrast, order. */
async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
}

/** What a screen reader would call the element that has the focus. */
async function focused(page: Page): Promise<string> {
  return page.evaluate<string>(
    "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''",
  );
}

function largest({ data }: Tensor): number {
  return data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
