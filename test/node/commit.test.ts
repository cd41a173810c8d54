import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { commitOf, writeCommit } from "../../src/node/commit.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet-commit-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const git = (...argv: string[]) =>
  execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@example.invalid", ...argv], { cwd: root });

test("a package knows the commit that it was built from", () => {
  mkdirSync(path.join(root, "dist"));
  expect(commitOf(root)).toBeNull();
  writeCommit(root);
  expect(commitOf(root)).toBeNull();

  git("init", "--quiet");
  const file = path.join(root, "file");
  writeFileSync(file, "1");
  git("add", "file");
  git("commit", "--quiet", "--message", "one");
  const clean = commitOf(root);
  expect(clean).toMatch(/^[0-9a-f]{12}$/);
  writeCommit(root);
  // A checkout's own state counts, whatever was built.
  writeFileSync(file, "2");
  expect(commitOf(root)).toBe(`${clean}-dirty`);

  renameSync(path.join(root, ".git"), path.join(root, "git"));
  expect(commitOf(root)).toBe(clean);
  writeCommit(root);
  expect(commitOf(root)).toBe(clean);
});
