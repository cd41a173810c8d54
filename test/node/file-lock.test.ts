/** Locks between processes: who holds one is an answer for those that can wait, and an error for those that can't. */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileLock } from "../../src/node/file-lock.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "lock-"));
  file = path.join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("one that is held is an answer of tryTake, and an error of take", async () => {
  const lock = await FileLock.take(file, expect.unreachable);
  const problem = `process ${process.pid} is at work on it`;
  const held = await FileLock.tryTake(file, expect.unreachable);
  expect(held).toEqual({ problem, remedy: `wait until it is done, or remove ${file}.lock if there is none` });
  await expect(FileLock.take(file, expect.unreachable)).rejects.toMatchObject({
    ...{ code: "evaluation", subject: file, problem },
  });
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
  const again = await FileLock.tryTake(file, expect.unreachable);
  if (!(again instanceof FileLock)) return expect.unreachable();
  await again.release();
});

test("one that can't be written is an error of both", async () => {
  const lost = path.join(folder, "no such folder", "file");
  const wrong = { code: "write", subject: `${lost}.lock` };
  await expect(FileLock.take(lost, expect.unreachable)).rejects.toMatchObject(wrong);
  await expect(FileLock.tryTake(lost, expect.unreachable)).rejects.toMatchObject(wrong);
});
