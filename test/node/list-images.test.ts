import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listImages, type ListedImage } from "../../src/node/list-images.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "list-images-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function make(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), "");
  }
}

/** What is listed, a line an entry, paths from the test's folder on. */
async function listed(...paths: string[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of listImages(paths)) lines.push(line(entry));
  return lines;
}

function line(entry: ListedImage): string {
  const name = entry.name.replace(folder, "~").replaceAll("\\", "/");
  switch (entry.kind) {
    case "file":
      return name;
    case "standard-input":
      return `standard input ${name}`;
    case "error":
      return `error ${name}: ${entry.error.message.replace(`${entry.error.subject}: `, "")}`;
    case "folder":
      return `folder ${name}: ${entry.pictures} pictures, ${entry.passedOver} others`;
  }
}

test("files stand as they are named, in their order, whatever they end in", async () => {
  await make("b.jpg", "a.dat", ".hidden.png");
  const paths = ["b.jpg", "a.dat", "b.jpg", ".hidden.png"].map((name) => join(folder, name));
  expect(await listed(...paths)).toEqual(["~/b.jpg", "~/a.dat", "~/b.jpg", "~/.hidden.png"]);
});

test("a folder: by name, subfolders in their place, other files counted", async () => {
  await make("z.jpg", "B.PNG", "a.jpeg", "c/2.webp", "c/10.avif", "c/x/y.gif", "d.tiff", "e.svg", "é.jpg");
  await make("notes.txt", "c/.DS_Store", "c/._2.webp", "d", "movie.mp4", ".git/icon.png");
  await mkdir(join(folder, "empty.jpg"));
  expect(await listed(folder)).toEqual([
    "~/B.PNG",
    "~/a.jpeg",
    "~/c/10.avif",
    "~/c/2.webp",
    "~/c/x/y.gif",
    "~/d.tiff",
    "~/e.svg",
    "~/z.jpg",
    "~/é.jpg",
    "folder ~: 9 pictures, 5 others",
  ]);
});

test("a folder without pictures", async () => {
  await make("notes.txt");
  expect(await listed(folder)).toEqual(["folder ~: 0 pictures, 1 others"]);
});

test("what is missing is an error in its place, and the list goes on", async () => {
  await make("a.jpg", "b.jpg");
  expect(await listed(join(folder, "a.jpg"), join(folder, "none.jpg"), "", join(folder, "b.jpg"))).toEqual([
    "~/a.jpg",
    "error ~/none.jpg: there is no such file; check the path",
    "error : there is no such file; check the path",
    "~/b.jpg",
  ]);
});

test("- is standard input, once; ./- is a file", async () => {
  expect(await listed("-", "-")).toEqual(["standard input -", "error -: standard input is given twice; give it once"]);
});

test("links: followed, but no folder is listed twice", async () => {
  await make("a/1.jpg", "b/2.jpg");
  await symlink("..", join(folder, "a", "up"));
  await symlink(".", join(folder, "a", "self"));
  await symlink(join(folder, "b"), join(folder, "a", "to-b"));
  await symlink(join(folder, "b", "2.jpg"), join(folder, "file.jpg"));
  await symlink(join(folder, "none"), join(folder, "nothing.jpg"));
  await symlink(join(folder, "none"), join(folder, "nothing"));
  expect(await listed(folder)).toEqual([
    "~/a/1.jpg",
    "~/a/to-b/2.jpg",
    // A link to nothing is found out when it is decoded.
    "~/file.jpg",
    "~/nothing.jpg",
    "folder ~: 4 pictures, 1 others",
  ]);
  expect(await listed(join(folder, "a", "self"))).toContain("~/a/self/1.jpg");
});

test("links that branch cost no more than the folders there are", async () => {
  for (let level = 0; level < 30; level++) {
    await mkdir(join(folder, `level${level}`));
    for (const name of ["left", "right"]) {
      await symlink(join(folder, `level${level + 1}`), join(folder, `level${level}`, name));
    }
  }
  await make("level30/a.jpg");
  expect(await listed(join(folder, "level0"))).toHaveLength(2);
});

test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
  "a subfolder that may not be read is an error in its place (left out for root)",
  async () => {
    await make("a.jpg", "b/c.jpg", "d.jpg");
    await chmod(join(folder, "b"), 0);
    expect(await listed(folder)).toEqual([
      "~/a.jpg",
      "error ~/b: it may not be read; check its permissions",
      "~/d.jpg",
      "folder ~: 2 pictures, 0 others",
    ]);
    await chmod(join(folder, "b"), 0o700);
  },
);

test("thousands, as they are asked for", async () => {
  await make(...Array.from({ length: 2000 }, (_, i) => `${String(i).padStart(4, "0")}.jpg`));
  const list = listImages([folder, join(folder, "none")]);
  for (let i = 0; i < 3; i++) expect((await list.next()).value).toMatchObject({ name: join(folder, `000${i}.jpg`) });
  await list.return();
  expect((await listed(folder)).length).toBe(2001);
});
