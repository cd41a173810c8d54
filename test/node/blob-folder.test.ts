import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readBlobFolder, writeBlobFolder } from "../../src/node/blob-folder.ts";
import { tensor } from "../support/tensor.ts";

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "blob-folder-"));
});
afterEach(() => fs.rm(folder, { recursive: true }));

const blobs = new Map([
  ["pool/one", tensor([2], [1, 2])],
  ["prob", tensor([1], [3])],
]);

it("writes what it reads again, into folders that it makes", async () => {
  const inner = join(folder, "a/b");
  await writeBlobFolder(inner, blobs);
  expect((await fs.readdir(inner)).sort()).toEqual(["pool#one.npy", "prob.npy"]);
  expect((await readBlobFolder(inner, blobs.keys())).blobs).toEqual(blobs);
});

it("leaves neither files nor folders that it made where a blob can't be written", async () => {
  const tooLong = new Map([...blobs, ["n".repeat(300), tensor([1], [3])]]);
  await expect(writeBlobFolder(join(folder, "a/b"), tooLong)).rejects.toMatchObject({ code: "write" });
  expect(await fs.readdir(folder)).toEqual([]);
});

it("leaves a folder that was there as it was", async () => {
  await fs.writeFile(join(folder, "pool#one.npy"), "old");
  await fs.mkdir(join(folder, "prob.npy"));
  await expect(writeBlobFolder(folder, blobs)).rejects.toMatchObject({
    code: "write",
    subject: join(folder, "prob.npy"),
  });
  expect((await fs.readdir(folder)).sort()).toEqual(["pool#one.npy", "prob.npy"]);
  expect(await fs.readFile(join(folder, "pool#one.npy"), "utf8")).toBe("old");
});
