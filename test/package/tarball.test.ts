/**
 * The package as its users get it: packed, installed from its tarball into an empty folder, run and compiled against
 * there. Works on a copy of the checkout, so that a test run leaves nobody's dist/ changed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../scripts/compile.mjs";
import { npmCommand } from "../../scripts/setup/dependencies.mjs";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const COPIED = [
  ...["src", "kernels", "assets", "weights/manifest.json", "package.json", ".npmrc"],
  ...["tsconfig.json", "tsconfig.build.json", "README.md", "LICENSE", "CHANGELOG.md"],
];

/** Paths with spaces are where unquoted ones show. */
const folder = mkdtempSync(path.join(tmpdir(), "googlenet package "));
const checkout = path.join(folder, "checkout");
const project = path.join(folder, "empty project");
let packed: string[];

/** npm as it was started, with its settings of this run (such as `--silent`) left out. */
function npm(argv: string[], cwd: string): string {
  const [program = "npm", ...first] = npmCommand();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "npm_config_loglevel"));
  return execFileSync(program, [...first, ...argv], { cwd, env, encoding: "utf8" });
}

function run(program: string, argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, argv, { cwd: project, encoding: "utf8" });
}

const googlenet = (...argv: string[]) => run(path.join(project, "node_modules/.bin/googlenet"), argv);

const lastObject = (lines: string): unknown => JSON.parse(lines.trim().split("\n").at(-1) ?? "");

beforeAll(async () => {
  mkdirSync(project);
  for (const name of COPIED) cpSync(path.join(REPOSITORY, name), path.join(checkout, name), { recursive: true });
  symlinkSync(path.join(REPOSITORY, "node_modules"), path.join(checkout, "node_modules"));
  await compile(checkout);
  const [report] = JSON.parse(npm(["pack", "--json", "--pack-destination", folder], checkout)) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = report.files.map((file) => file.path);
  writeFileSync(path.join(project, "package.json"), '{ "type": "module", "private": true }');
  const settings = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
  npm(["install", ...settings, path.join(folder, report.filename)], project);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the package", () => {
  test("holds what its users need, and nothing else", () => {
    const wanted = ["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "kernels/softmax.wgsl"];
    const also = ["weights/manifest.json", "assets/clock.svg", "README.md", "LICENSE", "CHANGELOG.md", "package.json"];
    expect(packed).toEqual(expect.arrayContaining([...wanted, ...also]));
    expect(packed.filter((file) => !/^(dist|kernels)\//.test(file)).sort()).toEqual(also.sort());
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
    writeFileSync(path.join(project, "program.ts"), program);
    // The GPU types come from the compiler's own library here, as in a page.
    const options = ["--strict", "--target", "ES2023", "--module", "NodeNext"];
    const compiler = path.join(REPOSITORY, "node_modules/typescript/bin/tsc");
    const compiled = run(process.execPath, [compiler, ...options, "program.ts"]);
    expect(compiled).toMatchObject({ status: 0, stdout: "" });
    const { status, stdout, stderr } = run(process.execPath, ["program.js"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(Number(stdout)).toBeGreaterThan(0);
  });

  test("needs nothing that only the checkout has", () => {
    expect(existsSync(path.join(project, "node_modules/typescript"))).toBe(false);
    expect(existsSync(path.join(project, "node_modules/googlenet-wgsl/src"))).toBe(false);
  });
});
