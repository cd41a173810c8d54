import { execFileSync } from "node:child_process";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EngineError } from "../../src/errors.ts";
import { writeFileAtomically, writeFilesAtomically } from "../../src/node/atomic-write.ts";

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "atomic-write-"));
});
afterEach(() => fs.rm(folder, { recursive: true }));

async function failure(path: string, contents: Uint8Array | string): Promise<EngineError> {
  const error: unknown = await writeFileAtomically(path, contents).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toMatchObject({ code: "write", subject: path });
  return error as EngineError;
}

/** Mounts a file system with room for some 64 kB, if we may. */
function mountTiny(at: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", at], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("writeFileAtomically", () => {
  it("writes a new file, and replaces one that is there, keeping its mode", async () => {
    const path = join(folder, "file");
    await writeFileAtomically(path, "first");
    expect(await fs.readFile(path, "utf8")).toBe("first");
    await fs.chmod(path, 0o640);
    await writeFileAtomically(path, Uint8Array.of(1, 2, 3));
    expect([...(await fs.readFile(path))]).toEqual([1, 2, 3]);
    expect((await fs.stat(path)).mode & 0o777).toBe(0o640);
    expect(await fs.readdir(folder)).toEqual(["file"]);
  });

  it("never shows a reader a part of the file", async () => {
    const path = join(folder, "file");
    const contents = (byte: number) => new Uint8Array(4_000_000).fill(byte);
    await writeFileAtomically(path, contents(0));
    let done = false;
    const reading = (async () => {
      while (!done) {
        const seen = await fs.readFile(path);
        expect(seen.length).toBe(4_000_000);
        expect(seen[0]).toBe(seen[seen.length - 1]);
      }
    })();
    for (let byte = 1; byte <= 10; byte++) await writeFileAtomically(path, contents(byte));
    done = true;
    await reading;
  });

  it("lets writers at once each win or lose whole", async () => {
    const path = join(folder, "file");
    await Promise.all([1, 2, 3, 4].map((byte) => writeFileAtomically(path, new Uint8Array(1_000_000).fill(byte))));
    const seen = await fs.readFile(path);
    expect(new Set(seen).size).toBe(1);
    expect(await fs.readdir(folder)).toEqual(["file"]);
  });

  it("writes through a symbolic link", async () => {
    await fs.writeFile(join(folder, "real"), "old");
    await fs.symlink("real", join(folder, "link"));
    await writeFileAtomically(join(folder, "link"), "new");
    expect(await fs.readFile(join(folder, "real"), "utf8")).toBe("new");
    expect((await fs.lstat(join(folder, "link"))).isSymbolicLink()).toBe(true);
  });

  it("writes a name of the greatest length", async () => {
    const path = join(folder, "n".repeat(255));
    await writeFileAtomically(path, "x");
    expect(await fs.readFile(path, "utf8")).toBe("x");
  });

  it("writes devices as they stand, and says when one is full", async () => {
    await writeFileAtomically("/dev/null", "gone");
    expect((await fs.stat("/dev/null")).isCharacterDevice()).toBe(true);
    expect((await failure("/dev/full", "x")).message).toMatch(
      /^\/dev\/full: cannot be written: the disk is full; free/,
    );
  });

  it.each([
    ["a folder that is missing", "missing/file", /no such file or folder/],
    ["a folder in the file's place", ".", /it is a folder/],
    ["a file in the folder's place", "plain/file", /not a folder/],
    ["a name that is too long", "n".repeat(300), /name is too long/],
  ])("refuses %s", async (_, name, message) => {
    await fs.writeFile(join(folder, "plain"), "");
    expect((await failure(join(folder, name), "x")).message).toMatch(message);
    expect(await fs.readdir(folder)).toEqual(["plain"]);
  });

  it("does not replace a file that is read-only, even for root", async () => {
    const path = join(folder, "kept");
    await fs.writeFile(path, "old", { mode: 0o444 });
    expect((await failure(path, "x")).message).toMatch(/kept: cannot be written: it is read-only; make it writable/);
    expect(await fs.readFile(path, "utf8")).toBe("old");
    expect(await fs.readdir(folder)).toEqual(["kept"]);
  });

  it.skipIf(process.getuid?.() === 0)("says when it may not write (needs a user other than root)", async () => {
    await fs.chmod(folder, 0o500);
    expect((await failure(join(folder, "file"), "x")).message).toMatch(/permission is denied/);
    await fs.chmod(folder, 0o700);
  });

  it("leaves the old file and no other on a full disk (where mounting is allowed)", async (context) => {
    if (!mountTiny(folder)) context.skip("may not mount a file system here");
    try {
      const path = join(folder, "file");
      await writeFileAtomically(path, "old");
      expect((await failure(path, new Uint8Array(200_000))).message).toMatch(/the disk is full/);
      expect(await fs.readFile(path, "utf8")).toBe("old");
      expect(await fs.readdir(folder)).toEqual(["file"]);
    } finally {
      execFileSync("umount", [folder]);
    }
  });
});

describe("writeFilesAtomically", () => {
  it("writes them all", async () => {
    await fs.writeFile(join(folder, "b"), "old");
    const files = ["a", "b"].map((name) => ({ path: join(folder, name), contents: () => name.toUpperCase() }));
    await writeFilesAtomically(files);
    expect(await fs.readFile(join(folder, "a"), "utf8")).toBe("A");
    expect(await fs.readFile(join(folder, "b"), "utf8")).toBe("B");
    expect(await fs.readdir(folder)).toEqual(["a", "b"]);
  });

  it.each([
    ["a folder in its place", "."],
    ["a missing folder", "missing/file"],
    ["a full device", "/dev/full"],
  ])("writes none where one can't be: %s", async (_, bad) => {
    await fs.writeFile(join(folder, "first"), "old");
    const path = bad.startsWith("/") ? bad : join(folder, bad);
    const files = [join(folder, "first"), path, join(folder, "last")].map((name) => ({
      path: name,
      contents: () => "new",
    }));
    await expect(writeFilesAtomically(files)).rejects.toMatchObject({ code: "write", subject: path });
    expect(await fs.readdir(folder)).toEqual(["first"]);
    expect(await fs.readFile(join(folder, "first"), "utf8")).toBe("old");
  });

  it("asks for the contents one after another, and leaves nothing where making them fails", async () => {
    const contents = () => {
      throw new Error("no more memory");
    };
    const files = [
      { path: join(folder, "a"), contents: () => "a" },
      { path: join(folder, "b"), contents },
    ];
    await expect(writeFilesAtomically(files)).rejects.toThrow(/no more memory/);
    expect(await fs.readdir(folder)).toEqual([]);
  });
});
