/** Thumbnails: small, whole, upright; of what is no picture, none. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { thumbnailOf } from "../../src/node/thumbnail.ts";
import { noisePicture } from "../support/pictures.ts";

const folder = mkdtempSync(path.join(tmpdir(), "thumbnail "));
afterAll(() => rmSync(folder, { recursive: true }));

async function picture(name: string, width: number, height: number, orientation = 1): Promise<string> {
  const { data } = noisePicture(width, height);
  const file = path.join(folder, name);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .withMetadata({ orientation })
    .jpeg()
    .toFile(file);
  return file;
}

async function sizeOf(address: string | null): Promise<number[]> {
  const [, base64] = /^data:image\/jpeg;base64,([A-Za-z\d+/]+=*)$/.exec(address!)!;
  const { width, height, format } = await sharp(Buffer.from(base64, "base64")).metadata();
  expect(format).toBe("jpeg");
  return [width, height];
}

test("keep their shape, are upright, and are not enlarged", async () => {
  expect(await sizeOf(await thumbnailOf(await picture("wide.jpg", 720, 360)))).toEqual([360, 180]);
  expect(await sizeOf(await thumbnailOf(await picture("turned.jpg", 720, 360, 6)))).toEqual([180, 360]);
  expect(await sizeOf(await thumbnailOf(await picture("small.jpg", 30, 40)))).toEqual([30, 40]);
});

test("of what is no picture, or is there no longer, there is none", async () => {
  const file = path.join(folder, "text.jpg");
  writeFileSync(file, "no picture");
  expect(await thumbnailOf(file)).toBeNull();
  expect(await thumbnailOf(path.join(folder, "gone.jpg"))).toBeNull();
});
