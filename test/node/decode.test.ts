import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import sharp, { type Create, type Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EngineError } from "../../src/errors.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import { decodeImage, MAX_PIXELS, readPictureStream } from "../../src/node/decode.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "decode-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Rgb = readonly [number, number, number];

/** Colours far from each other, none of them symmetric about an axis or between channels. */
const QUADRANTS: readonly Rgb[] = [
  [220, 40, 30],
  [40, 180, 60],
  [30, 60, 200],
  [230, 220, 90],
];

/** 48×32 in four quarters of one colour each: upper left, upper right, lower left, lower right. */
function quadrants(colours = QUADRANTS): Sharp {
  const [width, height] = [48, 32];
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set(colours[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)], (y * width + x) * 3);
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** The colours in the middle of the four quarters. */
function quarterColours({ width, height, data }: RgbImage): number[][] {
  return [0.25, 0.75].flatMap((y) =>
    [0.25, 0.75].map((x) => {
      const at = (Math.floor(y * height) * width + Math.floor(x * width)) * 3;
      return [...data.subarray(at, at + 3)];
    }),
  );
}

function expectColours(actual: readonly (readonly number[])[], expected: readonly Rgb[], tolerance: number): void {
  const difference = expected.flatMap((colour, i) => colour.map((value, c) => Math.abs(value - actual[i][c])));
  expect(Math.max(...difference), JSON.stringify(actual)).toBeLessThanOrEqual(tolerance);
}

const grey = (value: number): Rgb => [value, value, value];

describe("formats", () => {
  const cases: readonly [string, () => Promise<Buffer>, number][] = [
    ["JPEG", () => quadrants().jpeg({ quality: 95 }).toBuffer(), 6],
    ["progressive JPEG", () => quadrants().jpeg({ quality: 95, progressive: true }).toBuffer(), 6],
    ["PNG", () => quadrants().png().toBuffer(), 0],
    ["palette PNG", () => quadrants().png({ palette: true, colours: 4 }).toBuffer(), 3],
    ["16-bit PNG", () => quadrants().toColourspace("rgb16").png().toBuffer(), 0],
    ["WebP", () => quadrants().webp({ lossless: true }).toBuffer(), 0],
    ["AVIF", () => quadrants().avif({ quality: 95, effort: 0, chromaSubsampling: "4:4:4" }).toBuffer(), 8],
    ["GIF", () => quadrants().gif().toBuffer(), 3],
    ["TIFF", () => quadrants().tiff({ compression: "lzw" }).toBuffer(), 0],
    ["Display P3", () => quadrants().withIccProfile("p3").png().toBuffer(), 2],
    ["CMYK JPEG with a profile", () => cmyk().withIccProfile("cmyk").toBuffer(), 25],
    ["CMYK JPEG without one", () => cmyk().toBuffer(), 25],
  ];
  // CMYK's gamut is smaller: colours near to these are the right ones.
  const cmyk = (): Sharp => quadrants(MUTED).toColourspace("cmyk").jpeg({ quality: 98 });
  const MUTED: readonly Rgb[] = [
    [200, 90, 80],
    [90, 160, 100],
    [90, 100, 160],
    [220, 210, 130],
  ];

  test.each(cases)("%s", async (name, make, tolerance) => {
    const bytes = await make();
    const picture = await decodeImage(bytes, name);
    expect([picture.width, picture.height, picture.data.length]).toEqual([48, 32, 48 * 32 * 3]);
    expectColours(quarterColours(picture), name.startsWith("CMYK") ? MUTED : QUADRANTS, tolerance);
  });

  test("the traps are in the files: each is what its name says", async () => {
    const metadata = async (bytes: Buffer): Promise<unknown> => {
      const { format, space, depth, channels, hasProfile, isPalette } = await sharp(bytes).metadata();
      return { format, space, depth, channels, hasProfile, palette: isPalette };
    };
    const made = new Map(cases.map(([name, make]) => [name, make]));
    const plain = { hasProfile: false, palette: false };
    expect(await metadata(await made.get("16-bit PNG")!())).toEqual({
      ...plain,
      format: "png",
      space: "rgb16",
      depth: "ushort",
      channels: 3,
    });
    const cmykFile = { format: "jpeg", space: "cmyk", depth: "uchar", channels: 4, palette: false };
    expect(await metadata(await made.get("CMYK JPEG without one")!())).toEqual({ ...cmykFile, hasProfile: false });
    expect(await metadata(await made.get("CMYK JPEG with a profile")!())).toEqual({ ...cmykFile, hasProfile: true });
    expect(await metadata(await made.get("palette PNG")!())).toMatchObject({ palette: true });
    expect(await metadata(await made.get("Display P3")!())).toMatchObject({ hasProfile: true });
    // In Display P3 these colours bear other numbers, so that to ignore the profile would show.
    const p3 = await sharp(await made.get("Display P3")!(), { ignoreIcc: true })
      .raw()
      .toBuffer();
    expect(Math.abs(p3[0] - QUADRANTS[0][0])).toBeGreaterThan(5);
  });

  test.each([
    ["8-bit grey PNG", pngOf(3, 1, 8, 0, Buffer.of(0, 10, 128, 250))],
    ["16-bit grey PNG", pngOf(3, 1, 16, 0, Buffer.of(0, 10, 0, 128, 0, 250, 0))],
    ["4-bit palette PNG", pngOf(3, 1, 4, 3, Buffer.of(0, 0x21, 0x00), [...grey(250), ...grey(128), ...grey(10)])],
  ])("%s", async (name, bytes) => {
    expect((await sharp(bytes).metadata()).bitsPerSample ?? 16).toBe(Number.parseInt(name));
    expect([...(await decodeImage(bytes, name)).data]).toEqual([...grey(10), ...grey(128), ...grey(250)]);
  });

  test("1-bit PNG", async () => {
    const { data } = await decodeImage(pngOf(3, 1, 1, 0, Buffer.of(0, 0b1010_0000)), "1-bit");
    expect([...data]).toEqual([...grey(255), ...grey(0), ...grey(255)]);
  });

  test("grey JPEG", async () => {
    const shades: readonly Rgb[] = [grey(10), grey(90), grey(170), grey(250)];
    const bytes = await quadrants(shades).toColourspace("b-w").jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(bytes).metadata()).channels).toBe(1);
    expectColours(quarterColours(await decodeImage(bytes, "grey JPEG")), shades, 1);
  });

  test("transparency shows white", async () => {
    const pixels = Buffer.of(0, 0, 0, 0, 200, 100, 50, 255, 0, 0, 0, 128);
    const image = sharp(pixels, { raw: { width: 3, height: 1, channels: 4 } });
    const expected = [...grey(255), 200, 100, 50, ...grey(127)];
    expect([...(await decodeImage(await image.clone().png().toBuffer(), "alpha")).data]).toEqual(expected);
    const deep = await image.clone().toColourspace("rgb16").png().toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe("ushort");
    const { data } = await decodeImage(deep, "16-bit alpha");
    expect(Math.max(...expected.map((value, i) => Math.abs(value - data[i])))).toBeLessThanOrEqual(1);
  });

  test("grey with transparency shows white", async () => {
    const bytes = pngOf(3, 1, 8, 4, Buffer.of(0, 0, 0, 90, 255, 0, 128));
    expect((await sharp(bytes).metadata()).channels).toBe(2);
    expect([...(await decodeImage(bytes, "grey alpha")).data]).toEqual([...grey(255), ...grey(90), ...grey(127)]);
  });

  test("an animated GIF gives its first frame", async () => {
    const frames = await Promise.all(
      QUADRANTS.map((colour) => quadrants([colour, colour, colour, colour]).png().toBuffer()),
    );
    const bytes = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect((await sharp(bytes).metadata()).pages).toBe(4);
    const picture = await decodeImage(bytes, "animation");
    expect([picture.width, picture.height]).toEqual([48, 32]);
    expectColours(quarterColours(picture).slice(0, 1), QUADRANTS.slice(0, 1), 3);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("EXIF orientation %i comes out upright", async (orientation) => {
    // How the upright picture lies in the file, by the meaning of EXIF's orientations.
    const stored = quadrants();
    const turned = {
      1: () => stored,
      2: () => stored.flop(),
      3: () => stored.rotate(180),
      4: () => stored.flip(),
      5: async () => sharp(await stored.rotate(90).png().toBuffer()).flop(),
      6: () => stored.rotate(270),
      7: async () => sharp(await stored.rotate(90).png().toBuffer()).flip(),
      8: () => stored.rotate(90),
    }[orientation]!;
    const bytes = await (await turned()).withMetadata({ orientation }).png().toBuffer();
    expect((await sharp(bytes).metadata()).orientation).toBe(orientation);
    const upright = await decodeImage(await quadrants().png().toBuffer(), "upright");
    const picture = await decodeImage(bytes, "turned");
    expect([picture.width, picture.height]).toEqual([48, 32]);
    expect(Buffer.from(picture.data).compare(Buffer.from(upright.data))).toBe(0);
  });

  test("1×1", async () => {
    const bytes = pngOf(1, 1, 8, 2, Buffer.of(0, 1, 2, 3));
    expect(await decodeImage(bytes, "dot")).toEqual({ width: 1, height: 1, data: Buffer.of(1, 2, 3) });
  });
});

describe("SVG", () => {
  const half = '<rect width="50%" height="100%" fill="#f00"/>';
  test.each([
    ["a small icon grows", 'width="24" height="24" viewBox="0 0 24 24"', 512, 512],
    ["a large drawing shrinks", 'width="30000" height="30000"', 512, 512],
    ["the aspect is kept", 'width="200" height="100"', 1024, 512],
    ["the longer side is bounded", 'width="10" height="1000"', 41, 4096],
    ["a view box is a size too", 'viewBox="0 0 10 20"', 512, 1024],
    ["millimetres, large", 'width="2100mm" height="2100mm"', 512, 512],
    ["millimetres, small", 'width="5mm" height="10mm"', 512, 1024],
  ])("%s", async (_, attributes, width, height) => {
    const picture = await decodeImage(Buffer.from(svg(half, attributes)), "drawing.svg");
    // Lengths come out a little off: sizes are measured in whole pixels.
    expect(Math.abs(picture.width / width - 1)).toBeLessThan(0.03);
    expect(Math.abs(picture.height / height - 1)).toBeLessThan(0.03);
    expectColours(quarterColours(picture), [[255, 0, 0], grey(255), [255, 0, 0], grey(255)], 0);
  });

  test("reads no other file, by any of the ways that SVG and XML have", async () => {
    const blue = { create: { width: 9, height: 9, channels: 3, background: "#00f" } } as const;
    await sharp(blue).png().toFile(join(folder, "blue.png"));
    await writeFile(join(folder, "blue.svg"), svg('<rect id="r" width="100%" height="100%" fill="#00f"/>'));
    await writeFile(join(folder, "blue.css"), "rect { fill: #00f }");
    const inside = ["blue.png", "blue.svg", "blue.css"].map((name) => join(folder, name));
    const urls = ["blue.png", ...inside, ...inside.map((path) => `file://${path}`)];
    const body = urls
      .flatMap((url) => [
        `<image href="${url}" xlink:href="${url}" width="100%" height="100%"/>`,
        `<use href="${url}#r" xlink:href="${url}#r"/>`,
        `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="${url}"/>`,
        `<style>@import url("${url}");</style>`,
        `<rect width="100%" height="100%" fill="url(${url}#r)"/>`,
      ])
      .join("");
    const path = join(folder, "hostile.svg");
    await writeFile(path, svg(body, 'width="9" height="9" xmlns:xlink="http://www.w3.org/1999/xlink"'));
    const picture = await decodeImage(path, "hostile.svg");
    const seesBlue = picture.data.some((value, i) => i % 3 === 0 && value === 0 && picture.data[i + 2] === 255);
    expect(seesBlue).toBe(false);
    // The same elements show blue where they may: pictures within the file.
    const inline = `data:image/png;base64,${(await sharp(blue).png().toBuffer()).toString("base64")}`;
    const own = await decodeImage(Buffer.from(svg(`<image href="${inline}" width="9" height="9"/>`)), "own.svg");
    expect([...own.data.subarray(0, 3)]).toEqual([0, 0, 255]);
  });

  const entities = Array.from({ length: 11 }, (_, i) => `<!ENTITY a${i + 1} "${`&a${i};`.repeat(10)}">`).join("");
  test.each([
    ["entities that grow", `<!DOCTYPE svg [<!ENTITY a0 "aaaaaaaaaa">${entities}]>${svg("<text>&a11;</text>")}`],
    ["an entity from a file", `<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>${svg("<text>&x;</text>")}`],
    ["endless depth", svg("<g>".repeat(100_000) + "</g>".repeat(100_000))],
    ["an endless width", svg(half, 'width="1e9" height="100"')],
    ["an endless height in single quotes", svg(half, "width='100' height=' 20000000 '")],
    ["an endless view box", svg(half, 'viewBox="0 0 1e9 1e9"')],
    ["no size and nothing in it", '<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ["cut short", svg(half).slice(0, -10)],
  ])("refuses %s", async (_, text) => {
    await expectRefusal(Buffer.from(text), /./);
  });
});

describe("refuses", () => {
  test("what is missing", () => expectRefusal(join(folder, "none.jpg"), /there is no such file; check the path$/));
  test("a path through a file", async () => {
    await writeFile(join(folder, "file"), "");
    await expectRefusal(join(folder, "file", "a.jpg"), /there is no such file/);
  });
  test("a path with a zero byte", () => expectRefusal("a\0b", /there is no such file/));
  test("a folder", () => expectRefusal(folder, /this is a folder/));
  test("an empty file", async () => {
    await writeFile(join(folder, "empty.jpg"), "");
    await expectRefusal(join(folder, "empty.jpg"), /the file is empty/);
  });
  test("a link to nothing", async () => {
    await symlink(join(folder, "none.jpg"), join(folder, "link.jpg"));
    await expectRefusal(join(folder, "link.jpg"), /there is no such file/);
  });
  test.skipIf(!existsSync("/dev/zero"))("a device", () => expectRefusal("/dev/zero", /not a regular file/));
  test.skipIf(process.platform === "win32")("a named pipe that nobody writes to", async () => {
    execFileSync("mkfifo", [join(folder, "pipe.jpg")]);
    await expectRefusal(join(folder, "pipe.jpg"), /not a regular file/);
  });

  test.each([
    ["text", Buffer.from("a picture of a cat")],
    ["a PDF", Buffer.from("%PDF-1.7\n1 0 obj\n")],
    ["zeros", Buffer.alloc(4096)],
  ])("%s", (_, bytes) => expectRefusal(bytes, /this is not a picture that can be read; give JPEG/));
  test("gzip", () => expectRefusal(gzipSync(svg("<g/>")), /compressed with gzip; unpack it/));

  const encoders: readonly [string, (image: Sharp) => Sharp][] = [
    ["JPEG", (image) => image.jpeg()],
    ["PNG", (image) => image.png()],
    ["WebP", (image) => image.webp()],
    ["AVIF", (image) => image.avif({ effort: 0 })],
    ["GIF", (image) => image.gif()],
    ["TIFF", (image) => image.tiff()],
  ];
  describe.each(encoders)("%s", (_, encode) => {
    let bytes: Buffer;
    beforeAll(async () => {
      // Noise, so that every byte of the file counts.
      const noise = { width: 64, height: 64, channels: 3, background: "#888", noise: { type: "gaussian", sigma: 40 } };
      bytes = await encode(sharp({ create: noise as Create })).toBuffer();
      await decodeImage(bytes, "whole");
    });
    test.each([0.02, 0.3, 0.6, 0.9])("cut to %d of its length", async (share) => {
      await expectRefusal(bytes.subarray(0, Math.ceil(bytes.length * share)), /./);
    });
    test("bytes changed at will: an error or a picture of a plausible size, never a crash", async () => {
      let state = 12345;
      const random = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      for (let round = 0; round < 25; round++) {
        const mutant = Buffer.from(bytes);
        for (let change = 0; change <= random(8); change++) mutant[random(mutant.length)] = random(256);
        const result = await decodeImage(mutant, "mutant").catch((error: unknown) => error);
        if (result instanceof Error) {
          expect(result).toBeInstanceOf(EngineError);
          expect(result.message).not.toContain("\n");
        } else {
          const picture = result as RgbImage;
          expect(picture.data.length).toBe(picture.width * picture.height * 3);
        }
      }
    });
  });

  test("a JPEG with damage in its middle", async () => {
    const bytes = await quadrants().resize(256, 256).jpeg({ quality: 95 }).toBuffer();
    const middle = bytes.length >> 1;
    bytes.fill(0xff, middle, middle + 40);
    await expectRefusal(bytes, /damaged/);
  });
  test("an AVIF cut short, in one clause of the many that libvips has to say", async () => {
    const bytes = await quadrants().resize(256, 256).avif().toBuffer();
    await expectRefusal(bytes.subarray(0, bytes.length >> 1), /damaged, [^(]*\((?!.*source:.*source:)[^;]*\); save/);
  });
  test("a PNG with a wrong checksum", async () => {
    const bytes = pngOf(1, 1, 8, 2, Buffer.of(0, 1, 2, 3));
    bytes[bytes.indexOf("IDAT") + 5] ^= 1;
    await expectRefusal(bytes, /damaged/);
  });

  test("30,000×30,000, by its size and the limit, without decoding it", async () => {
    const bytes = pngOf(30_000, 30_000, 1, 0, Buffer.alloc(3751));
    await expectRefusal(
      bytes,
      /30000×30000 is more than the 268,402,689 pixels that are decoded; make the picture smaller$/,
    );
    expect(MAX_PIXELS).toBe(268_402_689);
  });

  test("a stream that has no end", async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        sent += 1000;
        yield await Promise.resolve(new Uint8Array(1000));
      }
    }
    await expect(readPictureStream(endless(), "-", 5500)).rejects.toThrow(
      expect.objectContaining({ code: "picture", message: expect.stringContaining("5,500 bytes") as string }),
    );
    expect(sent).toBe(6000);
  });
});

test("a stream is read whole", async () => {
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Uint8Array.of(1, 2));
    yield Uint8Array.of(3);
  }
  expect([...(await readPictureStream(parts(), "-"))]).toEqual([1, 2, 3]);
});

test("a file and its bytes give the same picture", async () => {
  const path = join(folder, "ünï cödé.png");
  await quadrants().png().toFile(path);
  await mkdir(join(folder, "sub"), { recursive: true });
  const fromBytes = await decodeImage(await quadrants().png().toBuffer(), "bytes");
  expect(await decodeImage(path, path)).toEqual(fromBytes);
});

const photos = process.env.GOOGLENET_PHOTOS;
describe.skipIf(photos === undefined)("photographs (left out unless GOOGLENET_PHOTOS names their folder)", () => {
  test.each([
    ["coral_hot_dog.jpg", 512, 384],
    ["coral_parrot.jpg", 512, 929],
    ["opencv_space_shuttle.jpg", 320, 320],
    ["skimage_chelsea.png", 451, 300],
    ["skimage_coffee.png", 600, 400],
  ])("%s is %i×%i", async (name, width, height) => {
    const picture = await decodeImage(join(photos!, name), name);
    expect([picture.width, picture.height, picture.data.length]).toEqual([width, height, width * height * 3]);
  });
});

async function expectRefusal(source: string | Uint8Array, pattern: RegExp): Promise<void> {
  const error: unknown = await decodeImage(source, "the picture").catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineError);
  const { code, subject, message } = error as EngineError;
  expect(code).toBe("picture");
  expect(subject).toBe("the picture");
  expect(message).toMatch(pattern);
  expect(message).toMatch(/^the picture: [^\n]+; [^\n]+$/);
}

function svg(body: string, attributes = 'width="9" height="9"'): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" ${attributes}>${body}</svg>`;
}

/** A PNG of the given bit depth and colour type, from its rows, each with its filter byte before it. */
function pngOf(
  width: number,
  height: number,
  depth: number,
  colour: number,
  rows: Buffer,
  palette: number[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour], 8);
  return Buffer.concat([
    Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    pngChunk("IHDR", header),
    ...(palette.length > 0 ? [pngChunk("PLTE", Buffer.from(palette))] : []),
    pngChunk("IDAT", deflateSync(rows)),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type), body]);
  let crc = 0xffffffff;
  for (const byte of typed) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  check.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return Buffer.concat([length, typed, check]);
}
