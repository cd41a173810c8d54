/** The browser that other tests use: it starts, shows a folder's page and gives it a WebGPU device. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { describeBrowser, launchChromium, serveFolder } from "./chromium.ts";

describeBrowser("a headless Chromium", () => {
  test("gives a page that is served from a folder a device that computes", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "googlenet page "));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(path.join(folder, "index.html"), "<!doctype html><title>a page</title>");
    await using site = await serveFolder(folder);
    const browser = await launchChromium();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.origin}/`);
    expect(await page.title()).toBe("a page");
    expect(await page.evaluate("fetch('missing.js').then(({ status }) => status)")).toBe(404);
    const copied = await page.evaluate(`(async () => {
      const device = await (await navigator.gpu.requestAdapter()).requestDevice();
      const [from, to] = [0x4 | 0x8, 0x1 | 0x8].map((usage) => device.createBuffer({ size: 4, usage }));
      device.queue.writeBuffer(from, 0, new Float32Array([42]));
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(from, 0, to, 0, 4);
      device.queue.submit([encoder.finish()]);
      await to.mapAsync(0x1);
      return [...new Float32Array(to.getMappedRange())];
    })()`);
    expect(copied).toEqual([42]);
  });
});
