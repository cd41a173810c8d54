/** The page as files that any server can serve: scripts, style sheet and kernels bundled, samples beside them. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { kernelTexts } from "../kernel-texts.mjs";

/**
 * @typedef {object} BundledFile
 * @property {string} name relative to the folder
 * @property {number} bytes
 * @property {number} gzipBytes as a server that compresses would send it
 */

/**
 * @param {string} root the checkout
 * @param {string} [folder] where the page goes; what lay there is removed
 * @returns {Promise<BundledFile[]>}
 */
export async function bundlePage(root, folder = path.join(root, "dist", "web")) {
  const source = path.join(root, "src", "web");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, "samples"), { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: ["main.ts", "worker.ts", "style.css"].map((name) => path.join(source, name)),
    outdir: folder,
    bundle: true,
    format: "esm",
    // The first browsers with WebGPU in workers.
    target: ["chrome113", "firefox141", "safari26"],
    minify: true,
    plugins: [kernelTexts(root)],
    logLevel: "warning",
  });
  cpSync(path.join(source, "index.html"), path.join(folder, "index.html"));
  cpSync(path.join(source, "samples"), path.join(folder, "samples"), { recursive: true });
  cpSync(path.join(root, "assets", "clock.svg"), path.join(folder, "samples", "clock.svg"));
  return readdirSync(folder, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const bytes = readFileSync(file);
      return {
        name: path.relative(folder, file).split(path.sep).join("/"),
        bytes: bytes.length,
        gzipBytes: gzipSync(bytes).length,
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
