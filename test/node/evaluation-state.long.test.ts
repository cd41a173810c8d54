/** A state whose holder, on another machine, shows no more sign of life: seen only after a while. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { EvaluationState } from "../../src/node/evaluation-state.ts";
import { evaluationOf, seen } from "../support/evaluations.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet state "));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("is taken over, and the first one notices where it was alive after all", async () => {
  const file = path.join(root, "run.state");
  const { run, shard } = evaluationOf([], { run: { total: 6 } });
  const options = { run, shard, skipUnreadable: false };
  const first = await EvaluationState.open(file, options);
  await first.add({ ...seen(0, 5, [5, 1, 2, 3, 4]), seconds: 1, waitingSeconds: 0 });
  // As if the first one's machine stood still: another's lock, that nobody touches.
  const dead = JSON.stringify({ id: "x", pid: 7, machine: "other-host boot ns", started: "1" });
  writeFileSync(`${file}.lock`, dead);
  const waits: string[] = [];
  const second = await EvaluationState.open(file, { ...options, onWait: (machine) => waits.push(machine) });
  expect(waits).toEqual(["other-host"]);
  expect(second.before.pictures).toHaveLength(1);
  await expect(first.add({ ...seen(1, 5, [5, 1, 2, 3, 4]), seconds: 1, waitingSeconds: 0 })).rejects.toThrow(
    /has taken it over/,
  );
  await second.add({ ...seen(1, 5, [5, 1, 2, 3, 4]), seconds: 1, waitingSeconds: 0 });
  await first.close();
  await second.close();
});
