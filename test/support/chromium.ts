/**
 * A real browser for tests: the Chromium that is installed, headless, with WebGPU on SwiftShader where there is no GPU.
 * Nothing is downloaded: where there is none, `describeBrowser` leaves its tests out and says why in their name.
 */

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Browser, chromium } from "playwright-core";
import { describe } from "vitest";
import { BROWSER_CHOICE, findBrowser } from "../../scripts/setup/browser.mjs";

/** The program of the Chromium that is installed; undefined where there is none. */
export const chromiumPath = findBrowser();

/** `describe` for what needs a browser. */
export function describeBrowser(name: string, tests: () => void): void {
  if (chromiumPath === undefined)
    describe.skip(`${name} (left out: no Chromium on the PATH or in ${BROWSER_CHOICE})`, tests);
  else describe(name, tests);
}

/**
 * Starts it, with WebGPU. Whoever opens pages closes the browser (`await browser.close()`), with which they go too.
 *
 * @param flags further command-line flags
 */
export async function launchChromium(...flags: readonly string[]): Promise<Browser> {
  // Chromium keeps WebGPU on software to itself unless it is asked for.
  return launchChromiumWithoutAdapter("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", ...flags);
}

/** Starts it as it is on a machine without a GPU: there is WebGPU, but it has no adapter. */
export async function launchChromiumWithoutAdapter(...flags: readonly string[]): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(`there is no Chromium: install one, or name it in ${BROWSER_CHOICE}`);
  // A root's sandbox does not start.
  return await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox", ...flags] });
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".wasm": "application/wasm",
};

/** A folder as a web site on this machine; pages need one, since WebGPU is not given to `file:`. */
export interface Site extends AsyncDisposable {
  /** `http://localhost:PORT`, which WebGPU counts as secure. */
  readonly origin: string;
}

/** Serves the files of a folder, byte for byte, on a free port; anything else is 404. */
export async function serveFolder(folder: string): Promise<Site> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = path.join(folder, decodeURIComponent(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    readFile(file).then(
      (bytes) => {
        const type = CONTENT_TYPES[path.extname(file)] ?? "application/octet-stream";
        response.writeHead(200, { "content-type": type, "content-length": bytes.length }).end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    origin: `http://localhost:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
