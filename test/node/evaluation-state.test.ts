/** An evaluation's state on disk: what is kept, whatever happens, and whose it is. */

import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { EvaluatedPicture } from "../../src/evaluate/record.ts";
import { EvaluationState, readEvaluation, type StateOptions } from "../../src/node/evaluation-state.ts";
import { evaluationOf, seen, unreadable } from "../support/evaluations.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet state "));
const file = path.join(root, "run.state");
const { run, shard } = evaluationOf([], { run: { total: 6 } });
const options: StateOptions = { run, shard, skipUnreadable: false };
/** A name that is no ASCII: lines may be cut within a character. */
const pictures: readonly EvaluatedPicture[] = [
  seen(0, 5, [5, 1, 2, 3, 4]),
  { ...seen(1, 5, [1, 2, 3, 4, 6]), image: "été/ü.jpg" },
  unreadable(2, 7),
  seen(3, 9, [1, 9, 2, 3, 4]),
];

beforeEach(() => {
  for (const each of readdirSync(root)) rmSync(path.join(root, each), { recursive: true, force: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function keep(some: readonly EvaluatedPicture[], changes: Partial<StateOptions> = {}): Promise<void> {
  await using state = await EvaluationState.open(file, { ...options, ...changes });
  await state.begin({ adapter: "A GPU" });
  for (const picture of some) await state.add({ ...picture, seconds: 0.25, waitingSeconds: 0.125 });
}

async function kept(changes: Partial<StateOptions> = {}) {
  await using state = await EvaluationState.open(file, { ...options, ...changes });
  return state.before;
}

test("is kept from one process to the next, with the time and the devices", async () => {
  await keep(pictures.slice(0, 2));
  await using state = await EvaluationState.open(file, options);
  expect(state.before).toEqual({ ...evaluationOf(pictures.slice(0, 2)), run, seconds: 0.5, waitingSeconds: 0.25 });
  await state.begin({ adapter: "another GPU", tuning: null, batch: 8 });
  for (const picture of pictures.slice(2)) await state.add({ ...picture, seconds: 1, waitingSeconds: 0.5 });
  await state.close();
  const whole = {
    ...evaluationOf(pictures),
    run,
    adapter: "A GPU + another GPU",
    computedBy: [
      { shard, adapter: "A GPU" },
      { shard, adapter: "another GPU", tuning: null, batch: 8 },
    ],
    seconds: 2.5,
    waitingSeconds: 1.25,
  };
  expect(await kept()).toEqual(whole);
  expect(await readEvaluation(file)).toEqual(whole);
  expect((await kept({ skipUnreadable: true })).skipUnreadable).toBe(false);
  expect((await readEvaluation(file)).skipUnreadable).toBe(true);
  expect(readdirSync(root)).toEqual(["run.state"]);
});

test("cut off at any byte, it has what was whole before, and goes on from there", async () => {
  await keep(pictures);
  const bytes = readFileSync(file);
  const lines = (length: number) => bytes.subarray(0, length).filter((byte) => byte === 10).length;
  for (let length = 0; length <= bytes.length; length++) {
    // Every cut of the first line and of the last ones would take long; these are all kinds.
    if (length > 20 && length < bytes.length - 200 && length % 29 !== 0) continue;
    writeFileSync(file, bytes.subarray(0, length));
    const whole = pictures.slice(0, Math.max(0, lines(length) - 2));
    expect((await kept()).pictures, `${length} bytes`).toEqual(whole);
    await using state = await EvaluationState.open(file, options);
    await state.add({ ...seen(5, 1, [1, 2, 3, 4, 5]), seconds: 1, waitingSeconds: 0 });
    await state.close();
    expect((await readEvaluation(file)).pictures.map(({ number }) => number)).toEqual([
      ...whole.map(({ number }) => number),
      5,
    ]);
  }
});

test("what becomes of a picture that could not be read takes its place, and nothing takes that of one that could", async () => {
  const torn = (error: string) => unreadable(2, 7, error);
  await keep([...pictures.slice(0, 2), torn("it is empty"), torn("it is torn")]);
  expect((await kept()).pictures).toEqual([...pictures.slice(0, 2), torn("it is torn")]);
  const mended = seen(2, 7, [7, 1, 2, 3, 4]);
  await keep([mended, torn("it is torn"), { ...mended, ofClass: 0.25 }]);
  expect(await kept()).toMatchObject({ pictures: [...pictures.slice(0, 2), mended], seconds: 5 * 0.25 });
});

test("what a file system leaves where power failed is dropped like a line that was cut off", async () => {
  await keep(pictures);
  appendFileSync(file, new Uint8Array(5000));
  expect((await kept()).pictures).toEqual(pictures);
});

describe("a state of another run is refused with what differs, and left as it is", () => {
  test.each<[string, Partial<StateOptions>]>([
    ["engine version 0.1.0, not 0.0.9", { run: { ...run, engine: "0.0.9" } }],
    [
      "weights bvlc_googlenet.safetensors (c1c1c1c1c1c1), not other (abababababab)",
      { run: { ...run, models: [{ name: "other", sha256: "ab".repeat(32) }] } },
    ],
    [
      "weights bvlc_googlenet.safetensors (c1c1c1c1c1c1), not bvlc_googlenet.safetensors (c1c1c1c1c1c1) + bvlc_googlenet.safetensors (c1c1c1c1c1c1)",
      { run: { ...run, models: [...run.models, ...run.models] } },
    ],
    ["crops 1 (squash256), not 10 (crops10)", { run: { ...run, protocol: "crops10", crops: 10 } }],
    ["crops 1 (squash256), not 1 (short256)", { run: { ...run, protocol: "short256" } }],
    ["precision float32, not f16", { run: { ...run, precision: "f16" } }],
    ["backend webgpu, not cpu", { run: { ...run, backend: "cpu" } }],
    ["pictures 6, not 7", { run: { ...run, total: 7 } }],
    ["other pictures or labels", { run: { ...run, pictures: "00" } }],
    ["shard 1/1, not 1/2", { shard: { index: 1, of: 2 } }],
    ["precision float32, not f16; backend webgpu, not cpu", { run: { ...run, precision: "f16", backend: "cpu" } }],
  ])("%s", async (differs, changes) => {
    await keep(pictures);
    const before = readFileSync(file);
    await expect(kept(changes)).rejects.toMatchObject({
      code: "evaluation",
      message: `${file}: it is the state of another evaluation: ${differs}; name another file; this one is left as it is`,
    });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(root)).toEqual(["run.state"]);
  });

  test("what weights are called does not matter: they are known by their values", async () => {
    await keep(pictures);
    const [{ sha256 }] = run.models;
    expect((await kept({ run: { ...run, models: [{ name: "elsewhere/w.caffemodel", sha256 }] } })).pictures).toEqual(
      pictures,
    );
  });
});

describe("what is no state is refused, and left as it is", () => {
  const begun = JSON.stringify({ evaluation: 1, run, shard, skipUnreadable: false });
  test.each<[string, string | Uint8Array, RegExp]>([
    [
      "a text",
      "remember the milk",
      /run\.state: it is no state of an evaluation; name another file; this one is left$/,
    ],
    ["a text of several lines", "remember\nthe milk\n", /it is no state of an evaluation/],
    ["a picture", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 10, 0xff), /it is no state of an evaluation/],
    ["another JSON", '{"images":4}\n', /it is no state of an evaluation/],
    ["a damaged line", `${begun}\n{"number":0,\n{"adapter":"x"}\n`, /line 2 is not a JSON object; /],
    ["a picture without results", `${begun}\n{"number":0,"image":"a","class":1}\n`, /line 2 has no valid top5; /],
    [
      "a picture of another shard",
      `${begun}\n{"number":6,"image":"a","class":1,"error":"x"}\n`,
      /picture 6 is none of/,
    ],
    ["two in one", `${begun}\n${begun}\n`, /line 2 begins another evaluation; /],
  ])("%s", async (_, contents, message) => {
    writeFileSync(file, contents);
    const before = readFileSync(file);
    await expect(kept()).rejects.toMatchObject({
      code: "evaluation",
      message: expect.stringMatching(message) as string,
    });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(root)).toEqual(["run.state"]);
  });

  test("a folder, a device, and a place where nothing can be written", async () => {
    const refusal = (name: string) =>
      EvaluationState.open(path.join(root, name), options).then(
        () => "",
        (error: unknown) => (error as Error).message,
      );
    mkdirSync(path.join(root, "folder"));
    expect(await refusal("folder")).toMatch(/folder: cannot be written: it is a folder; /);
    expect(await refusal("nowhere/run.state")).toMatch(/cannot be written: there is no such file or folder/);
    await expect(readEvaluation(path.join(root, "folder"))).rejects.toThrow(/it is not a regular file/);
    writeFileSync(path.join(root, "picture"), Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 10, 0xff));
    await expect(readEvaluation(path.join(root, "picture"))).rejects.toThrow(
      /picture: it is not text \(UTF-8\); give a state file, or what evaluate --json printed, whole$/,
    );
    await expect(readEvaluation(path.join(root, "nothing"))).rejects.toThrow(/cannot be read: there is no such file/);
  });
});

describe("a full disk", () => {
  test("is an error, and loses nothing that was kept", async () => {
    await using state = await EvaluationState.open(file, options);
    await state.add({ ...pictures[0], seconds: 0, waitingSeconds: 0 });
    const probe = await open(file);
    const prototype = Object.getPrototypeOf(probe) as { write: (...rest: unknown[]) => Promise<unknown> };
    await probe.close();
    const { write } = prototype;
    let room = 20;
    const spy = vi.spyOn(prototype, "write").mockImplementation(async function (this: unknown, ...rest: unknown[]) {
      if (room === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      const [bytes, offset, , position] = rest as [Uint8Array, number, number, number];
      const part = Math.min(room, bytes.length - offset);
      room -= part;
      return write.call(this, bytes, offset, part, position);
    });
    onTestFinished(() => spy.mockRestore());
    await expect(state.add({ ...pictures[1], seconds: 0, waitingSeconds: 0 })).rejects.toMatchObject({
      code: "write",
      message: `${file}: cannot be written: the disk is full; free some space or choose another place, and give the same command again: it goes on where it was`,
    });
    await state.close();
    spy.mockRestore();
    expect(readFileSync(file, "utf8")).toMatch(/\n$/);
    expect((await kept()).pictures).toEqual([pictures[0]]);
  });

  const mounted = mkdtempSync(path.join(tmpdir(), "googlenet full "));
  const canMount = (() => {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", mounted], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  })();
  afterAll(() => {
    if (canMount) execFileSync("umount", [mounted]);
    rmSync(mounted, { recursive: true, force: true });
  });

  test.skipIf(!canMount)("of its own (needs the right to mount one)", async () => {
    const small = path.join(mounted, "run.state");
    const many = { ...options, run: { ...run, total: 100_000 } };
    let count = 0;
    {
      await using state = await EvaluationState.open(small, many);
      const fill = async () => {
        for (; count < 100_000; count++)
          await state.add({ ...seen(count, 5, [5, 1, 2, 3, 4]), seconds: 0, waitingSeconds: 0 });
      };
      await expect(fill()).rejects.toThrow(/run\.state: cannot be written: the disk is full; /);
    }
    expect(count).toBeGreaterThan(100);
    const elsewhere = path.join(root, "more room.state");
    copyFileSync(small, elsewhere);
    await using state = await EvaluationState.open(elsewhere, many);
    expect(state.before.pictures).toHaveLength(count);
  });
});

describe("two processes at one state", () => {
  const lock = `${file}.lock`;

  test("the second is refused as long as the first is there", async () => {
    await using state = await EvaluationState.open(file, options);
    const before = readFileSync(file);
    const message = `${file}: process ${process.pid} is at work on it; wait until it is done, or remove ${lock} if there is none`;
    await expect(kept()).rejects.toMatchObject({ code: "evaluation", message });
    expect(readFileSync(file).equals(before)).toBe(true);
    await state.close();
    expect(existsSync(lock)).toBe(false);
    await kept();
  });

  test("one that was killed leaves a lock that holds nobody up, even where its number is given again", async () => {
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    await keep(pictures);
    await using state = await EvaluationState.open(file, options);
    const held = JSON.parse(readFileSync(lock, "utf8")) as Record<string, unknown>;
    await state.close();
    writeFileSync(lock, JSON.stringify({ ...held, id: "x", pid: child.pid, started: "another time" }));
    expect((await kept()).pictures).toEqual(pictures);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
    writeFileSync(lock, JSON.stringify({ ...held, id: "x", pid: child.pid, started: null }));
    expect((await kept()).pictures).toEqual(pictures);
    // Cut off while it was written.
    writeFileSync(lock, "");
    expect((await kept()).pictures).toEqual(pictures);
  });

  test("one that was paused and taken over overwrites nothing, and stops as soon as it could know", async () => {
    const pauses = vi.spyOn(Date, "now");
    onTestFinished(() => pauses.mockRestore());
    const paused = await EvaluationState.open(file, options);
    onTestFinished(() => paused.close());
    await paused.add({ ...pictures[0], seconds: 0, waitingSeconds: 0 });
    const held = JSON.parse(readFileSync(lock, "utf8")) as Record<string, unknown>;
    // It was taken for dead by another process, which goes on.
    writeFileSync(lock, JSON.stringify({ ...held, id: "successor" }));
    appendFileSync(file, `${JSON.stringify({ ...pictures[1], seconds: 0 })}\n`);
    // In between two beats nobody can know.
    await paused.add({ ...pictures[2], seconds: 0, waitingSeconds: 0 });
    expect((await readEvaluation(file)).pictures).toEqual(pictures.slice(0, 3));
    appendFileSync(file, `${JSON.stringify({ ...pictures[3], seconds: 0 })}\n`);
    const before = readFileSync(file, "utf8");
    const now = Date.now();
    pauses.mockImplementation(() => now + 5000);
    const late = paused.add({ ...seen(5, 1, [1, 2, 3, 4, 5]), seconds: 0, waitingSeconds: 0 });
    await expect(late).rejects.toMatchObject({
      code: "evaluation",
      message: expect.stringMatching(/another process has taken it over/) as string,
    });
    expect(readFileSync(file, "utf8")).toBe(before);
    await paused.close();
    expect(JSON.parse(readFileSync(lock, "utf8"))).toMatchObject({ id: "successor" });
  });

  test("on a full disk, one that was taken over cuts nothing off", async () => {
    const paused = await EvaluationState.open(file, options);
    onTestFinished(() => paused.close());
    const held = JSON.parse(readFileSync(lock, "utf8")) as Record<string, unknown>;
    writeFileSync(lock, JSON.stringify({ ...held, id: "successor" }));
    appendFileSync(file, `${JSON.stringify({ ...pictures[1], seconds: 0 })}\n`);
    const probe = await open(file);
    const prototype = Object.getPrototypeOf(probe) as { write: () => Promise<unknown> };
    await probe.close();
    const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
    const spy = vi.spyOn(prototype, "write").mockRejectedValue(full);
    onTestFinished(() => spy.mockRestore());
    await expect(paused.add({ ...pictures[0], seconds: 0, waitingSeconds: 0 })).rejects.toMatchObject({
      code: "write",
    });
    expect((await readEvaluation(file)).pictures).toEqual([pictures[1]]);
  });

  test("one elsewhere that shows a sign of life is left alone", async () => {
    await keep(pictures);
    writeFileSync(lock, JSON.stringify({ id: "x", pid: 7, machine: "other-host boot ns", started: "1" }));
    const beat = setInterval(() => writeFileSync(lock, readFileSync(lock)), 300);
    const waits: string[] = [];
    await expect(kept({ onWait: (machine) => waits.push(machine) })).rejects.toThrow(
      /process 7 on other-host is at work/,
    );
    clearInterval(beat);
    expect(waits).toEqual(["other-host"]);
    expect(statSync(lock).size).toBeGreaterThan(0);
    expect(hostname()).not.toBe("other-host");
  });
});
