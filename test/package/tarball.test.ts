/** What is in the package and what is not, its command, its types, and what a bundler makes of it. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { describe, expect, test } from "vitest";
import { computeSamplesDigest } from "../../src/node/samples-digest.ts";
import { tuningKey } from "../../src/node/tuning-file.ts";
import { bundleForPage } from "./bundle.ts";
import { REPOSITORY, useInstalledPackage } from "./installed.ts";
import { pageProgram, readme } from "./readme.ts";

const installed = useInstalledPackage();
const { project } = installed;

const googlenet = (...argv: string[]) => installed.run(path.join(project, "node_modules/.bin/googlenet"), argv);

const lastObject = (lines: string): unknown => JSON.parse(lines.trim().split("\n").at(-1) ?? "");

describe("the package", () => {
  test("holds what its users need, and nothing else", () => {
    const packed = installed.packed.files.map((file) => file.path);
    const wanted = ["dist/index.js", "dist/index.d.ts", "dist/kernels.js", "kernels/softmax.wgsl"];
    const command = ["dist/cli/googlenet.cjs", "dist/cli/libuv-threads.cjs", "dist/cli/main.js"];
    const also = ["weights/manifest.json", "assets/clock.svg", "LICENSE", "package.json"];
    const texts = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    expect(packed).toEqual(expect.arrayContaining([...wanted, ...command, ...also, ...texts]));
    // What the texts speak of comes with them.
    const others = packed.filter((file) => !/^(dist|kernels|bench\/results|deploy)\//.test(file));
    expect(others.sort()).toEqual([...also, ...texts, "assets/page.webp", "bench/README.md"].sort());
  });

  test("has all that its texts have links to", () => {
    const packed = new Set(installed.packed.files.map((file) => file.path));
    const links = [...packed]
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) => {
        const text = readFileSync(path.join(project, "node_modules/googlenet-wgsl", file), "utf8");
        const targets = [...text.matchAll(/\]\(([^)]+)\)|(?:src|href)="([^"]+)"/g)].map(([, a, b]) => a ?? b);
        return targets.filter((target) => !/^(https?:|#)/.test(target)).map((target) => ({ file, target }));
      });
    expect(links.filter(({ file }) => file === "README.md").length).toBeGreaterThan(5);
    const broken = links.filter(
      ({ file, target }) => !packed.has(path.posix.join(path.posix.dirname(file), target.replace(/#.*/, ""))),
    );
    expect(broken).toEqual([]);
  });

  test("is packed by one command, which builds it first: npm runs no script by itself here", () => {
    const { scripts } = JSON.parse(readFileSync(path.join(REPOSITORY, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    expect(scripts.pack).toBe(`${scripts.build} && npm pack`);
    expect(readFileSync(path.join(REPOSITORY, ".npmrc"), "utf8")).toContain("ignore-scripts=true");
  });

  test("knows the commit that it was built from", () => {
    const written = readFileSync(path.join(project, "node_modules/googlenet-wgsl/dist/commit.txt"), "utf8");
    expect(written).toMatch(/^[0-9a-f]{12}\n$/);
  });

  test("brings a command that shows its help", () => {
    const { status, stdout, stderr } = googlenet("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const command of ["classify", "run", "verify", "plan", "bench", "profile", "devices", "weights"]) {
      expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, "m"));
    }
  });

  test("plans the whole network", () => {
    const { status, stdout } = googlenet("plan", "--weights", "seed:1", "--json");
    expect(status).toBe(0);
    expect(lastObject(stdout)).toMatchObject({ macs: 1_582_671_872, parameters: 6_998_552 });
  });

  test.skipIf(process.env.GOOGLENET_SKIP_GPU_TESTS === "1")("verifies the GPU against the CPU reference", () => {
    const { status, stdout, stderr } = googlenet("verify", "--weights", "seed:1", "--json");
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    expect(lastObject(stdout)).toMatchObject({ pass: true, firstFailure: null });
  });

  test("refuses what it does not know with status 2 and one line", () => {
    const { status, stdout, stderr } = googlenet("plan", "--no-such-option");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^googlenet: .*no-such-option.*\n$/);
  });

  test("has types that a strict program compiles with, and runs", () => {
    const program = `
      import * as engine from "googlenet-wgsl";
      const names: string[] = Object.keys(engine);
      // @ts-expect-error: types are there, and they do not have this name
      export const missing: unknown = engine.noSuchName;
      console.log(names.length);`;
    installed.write("program.ts", program);
    // The GPU types come from the compiler's own library here, as in a page.
    const options = ["--strict", "--target", "ES2023", "--module", "NodeNext"];
    const compiler = path.join(REPOSITORY, "node_modules/typescript/bin/tsc");
    const compiled = installed.run(process.execPath, [compiler, ...options, "program.ts"]);
    expect(compiled).toMatchObject({ status: 0, stdout: "" });
    const { status, stdout, stderr } = installed.run(process.execPath, ["program.js"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(Number(stdout)).toBeGreaterThan(0);
  });

  test("brings the digest of the samples, the one that the sources come to", async () => {
    const dist = path.join(project, "node_modules/googlenet-wgsl/dist");
    const digest = readFileSync(path.join(dist, "plan/samples.sha256"), "utf8");
    expect(digest).toBe(computeSamplesDigest());
    // What a checkout tunes holds for its compiled code too: benchmarks run that.
    const keyOf = "import { tuningKey } from './node_modules/googlenet-wgsl/dist/node/tuning-file.js'";
    const print = `${keyOf}; console.log((await tuningKey({})).kernels)`;
    const { stdout } = installed.run(process.execPath, ["--input-type=module", "-e", print]);
    expect(stdout.trim()).toBe((await tuningKey({} as GPUAdapterInfo)).kernels);
  });

  test("needs nothing that only the checkout has", () => {
    expect(existsSync(path.join(project, "node_modules/typescript"))).toBe(false);
    expect(existsSync(path.join(project, "node_modules/googlenet-wgsl/src"))).toBe(false);
  });

  test("passes publint", async () => {
    const pkgDir = path.join(project, "node_modules/googlenet-wgsl");
    const { messages, pkg } = await publint({ pkgDir, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test("passes `are the types wrong`", () => {
    const command = path.join(REPOSITORY, "node_modules/@arethetypeswrong/cli/dist/index.js");
    // It is an ES module, and says so: require is not for it.
    const argv = [command, installed.tarball, "--profile", "esm-only", "--no-color", "--no-emoji"];
    const { status, stdout } = installed.run(process.execPath, argv);
    expect({ status, stdout: status === 0 ? "" : stdout }).toEqual({ status: 0, stdout: "" });
    for (const entry of ["", "/kernels", "/node", "/package.json"])
      expect(stdout).toContain(`"googlenet-wgsl${entry}"`);
  });
});

describe("a bundle", () => {
  /** Programs whose bundles hold nothing of Node.js, or bundling them fails. */
  const bundle = async (program: string) => Buffer.from(await bundleForPage(program, project));

  test("of one function leaves the rest out", async () => {
    const code = (await bundle('import { topK } from "googlenet-wgsl"; console.log(topK([1], 1));')).toString();
    expect(code.length).toBeLessThan(3000);
    const whole = (await bundle('import * as engine from "googlenet-wgsl"; console.log(engine);')).toString();
    for (const part of ["createComputePipelineAsync", "tench", "not a sound caffemodel", "safetensors"]) {
      expect(whole).toContain(part);
      expect(code).not.toContain(part);
    }
  });

  test("of everything needs no Node.js, and runs without its globals", async () => {
    const everything = `
      import * as engine from "googlenet-wgsl";
      import * as texts from "googlenet-wgsl/kernels";
      export default { ...engine, ...texts };`;
    const code = (await bundle(everything)).toString();
    expect(code).not.toMatch(/\brequire\(|from ?"(node:|fs|path|sharp|webgpu)|import\("/);
    // A realm that has JavaScript's own globals alone: what a module asks of another at once would throw here.
    const script = `
      import vm from "node:vm";
      const code = ${JSON.stringify(code)};
      const own = { performance, setTimeout, clearTimeout, AbortController, AbortSignal, TextDecoder, TextEncoder, URL };
      const module = new vm.SourceTextModule(code, { context: vm.createContext(own) });
      await module.link(() => { throw new Error("it imports something"); });
      await module.evaluate();
      const { googLeNet, kernels } = module.namespace.default;
      console.log(googLeNet().nodes.length, kernels("lrn").length > 0);`;
    const file = installed.write("realm.js", script);
    const { stdout, stderr } = installed.run(process.execPath, ["--no-warnings", "--experimental-vm-modules", file]);
    expect({ stdout, stderr }).toEqual({ stdout: "142 true\n", stderr: "" });
  });

  test("of Node.js's part is refused for a page", async () => {
    await expect(bundle('import { openGpu } from "googlenet-wgsl/node"; openGpu();')).rejects.toThrow(/node:/);
  });
});

describe("README.md", () => {
  /** A figure in the text, by what stands around it. */
  const figure = (pattern: RegExp): number => Number(pattern.exec(readme)?.[1]);
  /** It must not need a new one with every change, and must not mislead. */
  const expectNear = (stated: number, actual: number) => {
    expect(stated / actual, `README.md says ${stated}, and it is ${actual}`).toBeGreaterThan(0.9);
    expect(stated / actual, `README.md says ${stated}, and it is ${actual}`).toBeLessThan(1.1);
  };

  test("states the package's size", () => {
    expectNear(figure(/([\d.]+) MB packed/), installed.packed.size / 1e6);
    expectNear(figure(/([\d.]+) MB unpacked/), installed.packed.unpackedSize / 1e6);
  });

  test("states the size of its page's bundle", async () => {
    const code = await bundleForPage(pageProgram(), project);
    expectNear(figure(/([\d.]+) kB minified/), code.length / 1e3);
    expectNear(figure(/([\d.]+) kB gzipped/), gzipSync(code, { level: 9 }).length / 1e3);
  });
});
