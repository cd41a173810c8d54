import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { acquireLock } from "../../scripts/setup/lock.mjs";

const TIMES = { poll: 10, beat: 20, stale: 3_000 };
const MODULE = path.resolve(import.meta.dirname, "../../scripts/setup/lock.mjs");

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "lock-"));
  file = path.join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A process id that was somebody's and is nobody's now. */
function deadPid(): number {
  return spawnSync("true").pid;
}

function aged(seconds: number): void {
  const then = new Date(Date.now() - seconds * 1000);
  utimesSync(file, then, then);
}

describe("a lock", () => {
  test("makes a second process wait until it is released", async () => {
    const first = await acquireLock(file, () => {}, TIMES);
    const onWait = vi.fn<(holder: string) => void>();
    let held = false;
    const second = acquireLock(file, onWait, TIMES).then((lock) => {
      held = true;
      return lock;
    });
    // Longer than a lock may go untouched: the holder's beat keeps it.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(held).toBe(false);
    expect(onWait.mock.calls).toEqual([[`process ${process.pid}`]]);
    first.release();
    (await second).release();
    expect(existsSync(file)).toBe(false);
  });

  test("of a dead process is taken over at once", async () => {
    writeFileSync(file, JSON.stringify({ pid: deadPid(), host: hostname(), token: "x" }));
    const onWait = vi.fn<(holder: string) => void>();
    (await acquireLock(file, onWait, TIMES)).release();
    expect(onWait).not.toHaveBeenCalled();
  });

  test.each([
    ["another machine's", () => JSON.stringify({ pid: 1, host: "elsewhere", token: "x" })],
    ["a reused process id's", () => JSON.stringify({ pid: process.pid, host: hostname(), token: "x" })],
    ["an unreadable one", () => "{"],
  ])("that nobody touches (%s) is taken over when it is stale, not before", async (_, content) => {
    writeFileSync(file, content());
    const onWait = vi.fn<(holder: string) => void>();
    const lock = acquireLock(file, onWait, TIMES);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(onWait).toHaveBeenCalledOnce();
    aged(5);
    (await lock).release();
  });

  test("is held while a killed process's child works on", async () => {
    const worker = spawn("sleep", ["60"]);
    writeFileSync(file, JSON.stringify({ pid: deadPid(), host: hostname(), token: "x", worker: worker.pid }));
    let held = false;
    const lock = acquireLock(file, () => {}, TIMES).then((got) => {
      held = true;
      return got;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(held).toBe(false);
    worker.kill();
    (await lock).release();
  });

  test("that was taken over is not removed by its former holder", async () => {
    const lock = await acquireLock(file, () => {}, TIMES);
    writeFileSync(file, "another's");
    lock.worker(1);
    lock.release();
    expect(readFileSync(file, "utf8")).toBe("another's");
  });

  test("in a folder that is not there is one clear line", async () => {
    await expect(acquireLock(path.join(folder, "none", "lock"), () => {}, TIMES)).rejects.toThrow(
      /none\/lock: cannot be created \(ENOENT\); make the folder writable/,
    );
  });

  test("left by one dead process after another goes to one of many at a time", async () => {
    const dead = JSON.stringify({ pid: deadPid(), host: hostname(), token: "x" });
    writeFileSync(file, dead);
    const log = path.join(folder, "log");
    const program = `
      import { appendFileSync, renameSync, writeFileSync } from "node:fs";
      import { acquireLock } from ${JSON.stringify(MODULE)};
      for (let i = 0; i < 25; i++) {
        await acquireLock(${JSON.stringify(file)}, () => {}, { poll: 1, beat: 1000, stale: 60000 });
        appendFileSync(${JSON.stringify(log)}, "in\\n");
        await new Promise((resolve) => setTimeout(resolve, 2));
        appendFileSync(${JSON.stringify(log)}, "out\\n");
        writeFileSync("dead" + process.pid, ${JSON.stringify(dead)});
        renameSync("dead" + process.pid, ${JSON.stringify(file)});
      }`;
    const runs = Array.from(
      { length: 6 },
      () =>
        new Promise<number | null>((resolve) => {
          spawn(process.execPath, ["--input-type=module", "--eval", program], { stdio: "ignore", cwd: folder }).on(
            "close",
            resolve,
          );
        }),
    );
    expect(await Promise.all(runs)).toEqual(Array(6).fill(0));
    expect(readFileSync(log, "utf8")).toBe("in\nout\n".repeat(150));
  });
});
