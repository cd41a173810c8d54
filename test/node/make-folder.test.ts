import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder } from "../../src/node/make-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "make-folder-"));
});
afterEach(() => fs.rm(folder, { recursive: true }));

describe("makeFolder", () => {
  it("makes what is missing, and says which was the topmost", async () => {
    expect(await makeFolder(join(folder, "a", "b", "c"))).toBe(join(folder, "a"));
    expect((await fs.stat(join(folder, "a", "b", "c"))).isDirectory()).toBe(true);
    expect(await makeFolder(join(folder, "a", "b", "d"))).toBe(join(folder, "a", "b", "d"));
    expect(await makeFolder(join(folder, "a", "b"))).toBeUndefined();
  });

  it("is content with a folder by way of a link, and when several make it at once", async () => {
    await fs.symlink(folder, join(folder, "link"));
    expect(await makeFolder(join(folder, "link"))).toBeUndefined();
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(join(folder, "x", "y", "z"))));
    expect((await fs.stat(join(folder, "x", "y", "z"))).isDirectory()).toBe(true);
  });

  it("fails where a file is in the way", async () => {
    await fs.writeFile(join(folder, "file"), "");
    await expect(makeFolder(join(folder, "file"))).rejects.toMatchObject({ code: "EEXIST" });
    await expect(makeFolder(join(folder, "file", "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  it.skipIf(!existsSync("/proc"))("fails, and soon, in /proc, where nothing can be made", async () => {
    await expect(makeFolder("/proc/nothing")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(makeFolder("/proc/nothing/below")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
