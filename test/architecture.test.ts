/** Imports under src/ against the table of rooms in ARCHITECTURE.md: what may use what. */

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = path.join(import.meta.dirname, "..");

/** Everybody's. */
const ERRORS = "src/errors.ts";
/** Rooms that may import Node's modules and packages that need them. */
const NODE_ROOMS = ["src/node", "src/bench", "src/cli"];
/** Packages that run anywhere. */
const PORTABLE_PACKAGES = ["@bufbuild/protobuf/wire"];

/** Rooms (`src/plan`, `src/index.ts`), and the rooms that each may use: itself, those in its row, and those in theirs. */
function readTable(): Map<string, Set<string>> {
  const rooms = new Map<string, Set<string>>();
  const rows = readFileSync(path.join(root, "ARCHITECTURE.md"), "utf8").matchAll(
    /^\| (`src\/.*?) +\|.*\| (.*?) +\|$/gm,
  );
  for (const [, names, uses] of rows) {
    const above = [...rooms.keys()];
    const direct =
      uses === "all of the above" ? above : uses === "–" ? [] : uses.split(", ").map((use) => `src/${use}`);
    const known = direct.map((room) => {
      const below = rooms.get(room);
      if (!below) throw new Error(`${names} may use ${room}, which no row above describes`);
      return [room, ...below];
    });
    for (const [, name] of names.matchAll(/`([^`]+?)\/?`/g)) rooms.set(name, new Set([name, ...known.flat()]));
  }
  return rooms;
}

const rooms = readTable();

function roomOf(file: string): string {
  return file.split("/").length === 2 ? file : file.split("/").slice(0, 2).join("/");
}

/** Why a file may not import that; null where it may. */
function objection(file: string, specifier: string): string | null {
  const room = roomOf(file);
  if (specifier.startsWith(".")) {
    const target = path.posix.join(path.posix.dirname(file), specifier);
    return target === ERRORS || rooms.get(room)?.has(roomOf(target)) ? null : `${file} may not use ${target}`;
  }
  const allowed = NODE_ROOMS.includes(room) || PORTABLE_PACKAGES.includes(specifier);
  return allowed ? null : `${file} may not use ${specifier}: only ${NODE_ROOMS.join(", ")} need Node.js`;
}

const files = readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((name) => `src/${name.split(path.sep).join("/")}`)
  .filter((file) => file.endsWith(".ts"));

/** All that a file imports or exports from elsewhere, types and `import()` too. */
function importsOf(file: string): readonly string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(path.join(root, file), "utf8"));
  return importedFiles.map(({ fileName }) => fileName);
}

describe("ARCHITECTURE.md", () => {
  test("has a row for every room", () => {
    expect([...new Set(files.map(roomOf))].filter((room) => room !== ERRORS).sort()).toEqual([...rooms.keys()].sort());
  });

  test("says what imports what", () => {
    const imports = files.flatMap((file) => importsOf(file).map((specifier) => [file, specifier] as const));
    expect(imports.length).toBeGreaterThan(files.length);
    expect(imports.flatMap(([file, specifier]) => objection(file, specifier) ?? [])).toEqual([]);
  });

  test.each([
    ["src/graph/ops.ts", "../plan/plan.ts"],
    ["src/graph/ops/conv.ts", "../../cpu/conv.ts"],
    ["src/webgpu/session.ts", "../node/dawn.ts"],
    ["src/verify/verify.ts", "../cpu/reference.ts"],
    ["src/node/index.ts", "../cli/main.ts"],
    ["src/image/resize.ts", "node:fs"],
    ["src/index.ts", "webgpu"],
    ["src/errors.ts", "./graph/graph.ts"],
  ])("forbids that %s imports %s", (file, specifier) => {
    expect(objection(file, specifier)).not.toBeNull();
  });
});
