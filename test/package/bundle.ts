/** Bundles a program that uses the installed package, as a page's author does. */

import { build } from "esbuild";

/**
 * Bundles for browsers, minified. Fails where something of Node.js comes along.
 *
 * @param contents - the program, a module of the folder `project`
 */
export async function bundleForPage(contents: string, project: string): Promise<Uint8Array> {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: project },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    write: false,
    logLevel: "silent",
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join("\n"));
  return outputFiles[0].contents;
}
