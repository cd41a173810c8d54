/**
 * The package as its users get it: built, packed, and installed from its tarball into an empty folder. Works on a copy
 * of the checkout, so that a test run leaves nobody's dist/ changed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll } from "vitest";
import { compile } from "../../scripts/compile.mjs";
import { npmCommand } from "../../scripts/setup/dependencies.mjs";

export const REPOSITORY = path.resolve(import.meta.dirname, "../..");

const COPIED = [
  ...["src", "kernels", "assets", "weights/manifest.json", "package.json", ".npmrc"],
  ...["tsconfig.json", "tsconfig.build.json", "README.md", "LICENSE", "CHANGELOG.md"],
  ...["ARCHITECTURE.md", "CONTRIBUTING.md", "bench/README.md", "bench/results", "deploy"],
];

/** What `npm pack` says of the tarball. */
interface Packed {
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

export interface InstalledPackage {
  /** The project that it is installed in: a package.json and nothing else. */
  readonly project: string;
  readonly tarball: string;
  readonly packed: Packed;
  /** Writes a file into the project and gives its path. */
  write(name: string, contents: string | Uint8Array): string;
  /** Runs a program in the project. */
  run(program: string, argv: readonly string[]): { status: number | null; stdout: string; stderr: string };
}

/** Installs it before the tests of the file and removes it after them. */
export function useInstalledPackage(): InstalledPackage {
  // Paths with spaces are where unquoted ones show.
  const folder = mkdtempSync(path.join(tmpdir(), "googlenet package "));
  const project = path.join(folder, "empty project");
  let packed: Packed | undefined;

  beforeAll(async () => {
    const checkout = path.join(folder, "checkout");
    mkdirSync(project);
    for (const name of COPIED) cpSync(path.join(REPOSITORY, name), path.join(checkout, name), { recursive: true });
    symlinkSync(path.join(REPOSITORY, "node_modules"), path.join(checkout, "node_modules"));
    const author = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
    execFileSync("git", ["init", "--quiet"], { cwd: checkout });
    execFileSync("git", [...author, "commit", "--quiet", "--allow-empty", "--message", "all"], { cwd: checkout });
    await compile(checkout);
    [packed] = JSON.parse(npm(["pack", "--json", "--pack-destination", folder], checkout)) as [Packed];
    writeFileSync(path.join(project, "package.json"), '{ "type": "module", "private": true }');
    const settings = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    npm(["install", ...settings, path.join(folder, packed.filename)], project);
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  return {
    project,
    get tarball() {
      return path.join(folder, packed!.filename);
    },
    get packed() {
      return packed!;
    },
    write(name, contents) {
      const file = path.join(project, name);
      writeFileSync(file, contents);
      return file;
    },
    run: (program, argv) => spawnSync(program, argv, { cwd: project, encoding: "utf8" }),
  };
}

/** npm as it was started, with its settings of this run (such as `--silent`) left out. */
function npm(argv: string[], cwd: string): string {
  const [program = "npm", ...first] = npmCommand();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name !== "npm_config_loglevel"));
  return execFileSync(program, [...first, ...argv], { cwd, env, encoding: "utf8" });
}
