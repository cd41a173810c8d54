/**
 * Writes the text of kernels/*.wgsl into src/kernels.ts, or into what the compiler makes of it: where there is no file
 * system they have to be inside the module. The build does so in dist/, and what bundles the sources by a plugin.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** `const texts = {};`, with its type or without. */
const EMPTY = /^(const texts\b[^=]*= )\{\};$/m;

/**
 * @param {string} source the module, in TypeScript or JavaScript, without texts
 * @param {string} root the checkout
 * @returns {string} the module with texts
 */
export function fillTexts(source, root) {
  if (!EMPTY.test(source)) throw new Error("src/kernels.ts: it declares no empty `const texts`");
  const folder = path.join(root, "kernels");
  const files = readdirSync(folder).filter((file) => file.endsWith(".wgsl"));
  const texts = files
    .sort()
    .map((file) => [path.basename(file, ".wgsl"), readFileSync(path.join(folder, file), "utf8")]);
  const written = JSON.stringify(Object.fromEntries(texts), null, 2);
  return source.replace(EMPTY, (_, declaration) => `${declaration}${written};`);
}

/**
 * For esbuild, where it bundles the sources of this checkout.
 *
 * @param {string} root the checkout
 * @returns {import("esbuild").Plugin}
 */
export function kernelTexts(root) {
  const module = path.join(root, "src", "kernels.ts");
  return {
    name: "kernel-texts",
    setup(build) {
      build.onLoad({ filter: /[\\/]kernels\.ts$/ }, ({ path: file }) =>
        file === module ? { contents: fillTexts(readFileSync(file, "utf8"), root), loader: "ts" } : null,
      );
    },
  };
}
