/** The kernels as one module: bundled from the sources it holds every file, and says what it does not know. */

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { fillTexts, kernelTexts } from "../../scripts/kernel-texts.mjs";
import { kernels as unbuilt } from "../../src/kernels.ts";
import type { KernelSource } from "../../src/webgpu/kernel_source.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

test("a bundle of the sources holds every kernel, byte for byte", async () => {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, "src/kernels.ts")],
    plugins: [kernelTexts(ROOT)],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`;
  const { kernels } = (await import(url)) as { kernels: KernelSource };
  const files = readdirSync(path.join(ROOT, "kernels"));
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) {
    expect(kernels(path.basename(file, ".wgsl"))).toBe(readFileSync(path.join(ROOT, "kernels", file), "utf8"));
  }
  for (const name of ["nothing", "toString", "lrn.wgsl"]) {
    expect(() => kernels(name)).toThrow(/^kernel "\w+(\.wgsl)?": there is none; name one of binary, concat, /);
  }
});

test("without the build it says so", () => {
  expect(() => unbuilt("lrn")).toThrow(
    expect.objectContaining({
      code: "usage",
      message: 'kernel "lrn": there is none; build the package, which writes them in',
    }),
  );
});

test("a module that has no place for them is refused", () => {
  expect(() => fillTexts("export const texts = [];", ROOT)).toThrow(/declares no empty `const texts`/);
});
