/** Evaluations that are killed and go on, and shards that are evaluated by several processes and joined. */

import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mergeShards } from "../../src/evaluate/merge.ts";
import { parseEvaluation } from "../../src/evaluate/lines.ts";
import type { Evaluation } from "../../src/evaluate/record.ts";
import { summarise } from "../../src/evaluate/statistics.ts";
import { readEvaluation } from "../../src/node/evaluation-state.ts";
import { freshSeed, uniform } from "../support/random.ts";
import type { StubOptions } from "./evaluate-stub.ts";
import { TSX } from "./googlenet.ts";

const COUNT = 26;
const root = mkdtempSync(path.join(tmpdir(), "googlenet interrupted "));
const folder = path.join(root, "pictures");
const labels = path.join(root, "labels.txt");
const seed = freshSeed();
const next = uniform(seed);

beforeAll(async () => {
  mkdirSync(folder);
  const lines: string[] = [];
  for (let index = 0; index < COUNT; index++) {
    const name = `${index}.png`;
    const background = { r: Math.floor(256 * next()), g: Math.floor(256 * next()), b: index };
    if (index % 9 === 4) writeFileSync(path.join(folder, name), "no picture");
    else await sharp({ create: { width: 20, height: 16, channels: 3, background } }).toFile(path.join(folder, name));
    lines.push(`${name} ${Math.floor(10 * next())}`);
  }
  writeFileSync(labels, lines.join("\n"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(options: Partial<StubOptions>): { child: ChildProcess; ended: Promise<Ended> } {
  const argv = ["--import", TSX, path.join(import.meta.dirname, "evaluate-stub.ts")];
  const child = spawn(process.execPath, [...argv, JSON.stringify({ folder, labels, ...options })]);
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (part: string) => {
      text[name] += part;
    });
  }
  return { child, ended: new Promise((resolve) => child.on("close", (status) => resolve({ status, ...text }))) };
}

/** What has nothing to do with when and where it ran. */
function figures(evaluation: Evaluation): unknown {
  const timeless = { ...evaluation, seconds: 0 };
  return { ...timeless, summary: summarise(timeless) };
}

let whole: Evaluation;
beforeAll(async () => {
  const { status, stdout, stderr } = await start({}).ended;
  expect({ status, unreadable: stderr.split("\n").length - 1 }).toEqual({ status: 0, unreadable: 3 });
  whole = parseEvaluation(stdout, "whole");
  expect(whole.pictures).toHaveLength(COUNT);
  const { top1 } = summarise(whole);
  expect(top1.of).toBe(COUNT);
});

/** Kills a child once its state has this many lines, or after a while without any. */
async function killAt(options: Partial<StubOptions> & { readonly state: string }, lines: number): Promise<Ended> {
  const { child, ended } = start({ ...options, delay: 15 });
  const look = setInterval(() => {
    const size = readdirSync(root).includes(path.basename(options.state))
      ? readFileSync(options.state, "utf8").split("\n").length - 1
      : 0;
    if (size >= lines) child.kill("SIGKILL");
  }, 2);
  const result = await ended;
  clearInterval(look);
  return result;
}

test("killed at random points, one goes on and ends as one that nobody interrupted, bit for bit", async () => {
  const state = path.join(root, "killed.state");
  let killed = 0;
  for (const lines of [0, 2 + Math.floor(8 * next()), 12 + Math.floor(10 * next())]) {
    const { status } = await killAt({ state }, lines);
    if (status === null) killed++;
  }
  expect(killed, `seed ${seed}`).toBe(3);
  const { status, stdout } = await start({ state }).ended;
  expect(status).toBe(0);
  expect(figures(parseEvaluation(stdout, "killed")), `seed ${seed}`).toEqual(figures(whole));
  expect(stdout.trim().split("\n")).toHaveLength(COUNT + 1);
  expect(figures(await readEvaluation(state))).toEqual(figures(whole));
  // Once more: nothing is left to do.
  const again = await start({ state }).ended;
  expect(figures(parseEvaluation(again.stdout, "again"))).toEqual(figures(whole));
  const other = await start({ state, seed: 2 }).ended;
  expect(other).toMatchObject({ status: 1, stdout: "" });
  expect(other.stderr).toMatch(
    /killed\.state: it is the state of another evaluation: weights seed:1 \(1{12}\), not seed:2/,
  );
});

test("shards by several processes, one of them killed and started again, join into the whole", async () => {
  const shardOf = (index: number) => ({
    shard: { index, of: 3 },
    state: path.join(root, `${index}.state`),
    skipUnreadable: true,
  });
  const [first, second] = await Promise.all([start(shardOf(1)).ended, killAt(shardOf(2), 4), start(shardOf(3)).ended]);
  expect([first.status, second.status]).toEqual([0, null]);
  const parts = async () =>
    Promise.all(
      [1, 2, 3].map(async (index) => ({ name: `${index}`, evaluation: await readEvaluation(shardOf(index).state) })),
    );
  await expect(mergeShards(await parts())).rejects.toThrow(/^2: it lacks \d of its pictures; let it be finished/);
  expect((await start(shardOf(2)).ended).status).toBe(0);
  const { pictures, ...merged } = await mergeShards(await parts());
  // Batches are others than the whole's, and with them the last digits.
  const classes = (all: Evaluation["pictures"]) =>
    all.map((each) => [each.number, each.image, each.class, "error" in each ? each.error : each.top5]);
  expect(classes(pictures)).toEqual(classes(whole.pictures));
  expect(summarise({ ...merged, pictures }).top5).toEqual(summarise({ ...whole, skipUnreadable: true }).top5);
});

test("a file that can't be read for a moment ends it with the state kept, and is a picture like any other later", async () => {
  const small = path.join(root, "small");
  mkdirSync(small);
  const list = path.join(root, "small.txt");
  const names = ["0.png", "1.png", "2.png", "3.png", "5.png"];
  for (const name of names) copyFileSync(path.join(folder, name), path.join(small, name));
  writeFileSync(list, names.map((name) => `${name} 1`).join("\n"));
  const options = { folder: small, labels: list };
  const undisturbed = parseEvaluation((await start(options).ended).stdout, "undisturbed");

  const away = path.join(root, "away.png");
  renameSync(path.join(small, "5.png"), away);
  // Its disk is not there.
  symlinkSync("nowhere.png", path.join(small, "5.png"));
  const state = path.join(root, "moment.state");
  const failed = await start({ ...options, state }).ended;
  expect(failed.status).toBe(1);
  expect(failed.stderr).toMatch(/^googlenet: 5\.png: there is no such file; check the path$/m);
  const { pictures } = await readEvaluation(state);
  expect(pictures).toEqual(undisturbed.pictures.slice(0, pictures.length));
  expect(pictures.filter((each) => "error" in each)).toEqual([]);

  rmSync(path.join(small, "5.png"));
  renameSync(away, path.join(small, "5.png"));
  const { status, stdout } = await start({ ...options, state }).ended;
  expect(status).toBe(0);
  expect(figures(parseEvaluation(stdout, "again"))).toEqual(figures(undisturbed));
});

test("pictures that were mended since are read when it goes on, and it ends as if they had always been fine", async () => {
  const mended = path.join(root, "mended");
  cpSync(folder, mended, { recursive: true });
  const repair = (image: string) => copyFileSync(path.join(folder, "0.png"), path.join(mended, image));
  const state = path.join(root, "mended.state");
  const options = { folder: mended, labels, exact: true };
  expect((await killAt({ ...options, state }, 2 + 17)).status).toBeNull();
  const unread = (await readEvaluation(state)).pictures.filter((each) => "error" in each);
  expect(unread.length).toBeGreaterThanOrEqual(2);

  repair(unread[0].image);
  const lookedAgain = await start({ ...options, state }).ended;
  expect(lookedAgain.stderr.match(/this is not a picture that can be read/g)).toHaveLength(2);
  const lines = lookedAgain.stdout.trim().split("\n");
  expect(lines).toHaveLength(COUNT + 1);
  const undisturbed = parseEvaluation((await start(options).ended).stdout, "undisturbed");
  expect(figures(parseEvaluation(lookedAgain.stdout, "again")), `seed ${seed}`).toEqual(figures(undisturbed));
  expect(figures(await readEvaluation(state))).toEqual(figures(undisturbed));

  // Once it is finished it stays as it is.
  repair(unread[1].image);
  const kept = readFileSync(state);
  expect(figures(parseEvaluation((await start({ ...options, state }).ended).stdout, "finished"))).toEqual(
    figures(undisturbed),
  );
  expect(readFileSync(state).equals(kept)).toBe(true);
});

test("one that goes on elsewhere says so, and keeps what computed it", async () => {
  const state = path.join(root, "elsewhere.state");
  await killAt({ state, skipUnreadable: true }, 8);
  const { status, stdout, stderr } = await start({ state, skipUnreadable: true, adapter: "another", quiet: false })
    .ended;
  expect(status).toBe(0);
  expect(stderr).toContain(`${state}: goes on with another in place of stub: last bits of probabilities may differ\n`);
  const attempt = { shard: { index: 1, of: 1 }, tuning: null, batch: 3 };
  const known = {
    adapter: "stub + another",
    computedBy: ["stub", "another"].map((adapter) => ({ ...attempt, adapter })),
  };
  expect(parseEvaluation(stdout, "elsewhere")).toMatchObject(known);
  expect(await readEvaluation(state)).toMatchObject(known);
});
