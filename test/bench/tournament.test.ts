import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Contestant } from "../../src/bench/contestants.ts";
import type { Job, Report, Settings } from "../../src/bench/job.ts";
import { WorkerFailure } from "../../src/bench/run-worker.ts";
import { runTournament, type TournamentOptions } from "../../src/bench/tournament.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet-tournament-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const contestant = (engine: Contestant["engine"], variants: readonly Settings[] = [{}]): Contestant => ({
  ...{ engine, backend: "webgpu", mode: null, program: engine, argv: [], module: null, variants },
});

const report = (times: readonly number[], changes: Partial<Report> = {}): Report => ({
  ...{ adapter: "card", versions: {}, times, timesWithoutReadback: null, inFlight: null, maxAbsError: 1e-7 },
  ...changes,
});

/** Pretended workers: who was started with what, in order. */
function pretend(answer: (engine: string, job: Job, turn: number) => Report, coldMs = 100) {
  const log: string[] = [];
  const run: TournamentOptions["run"] = ({ program }, jobFile) => {
    const job = JSON.parse(readFileSync(jobFile, "utf8")) as Job;
    log.push(`${program}${job.brief ? "?" : ""}`);
    return new Promise((resolve) => resolve({ coldMs: coldMs + log.length, report: answer(program, job, log.length) }));
  };
  return { log, run };
}

const options = (run: TournamentOptions["run"], changes: Partial<TournamentOptions> = {}): TournamentOptions => ({
  folder,
  files: { weights: "", onnx: { node: "", spelled: "" }, inputs: [], expected: [] },
  ...{ batch: 2, precision: "f32", unsafe: false, adapter: null, rounds: 3, warmups: 2, runs: 6, seconds: 10 },
  signal: new AbortController().signal,
  ...(run === undefined ? {} : { run }),
  ...changes,
});

const own = contestant("googlenet-wgsl");
const peer = contestant("onnxruntime-webgpu");

describe("a tournament", () => {
  test("tries every engine, then lets them take turns", async () => {
    const { log, run } = pretend(() => report([1, 2]));
    await runTournament([own, peer], options(run));
    const round = ["googlenet-wgsl", "onnxruntime-webgpu"];
    expect(log).toEqual(["googlenet-wgsl?", "onnxruntime-webgpu?", ...round, ...round, ...round]);
  });

  test("sums up all rounds", async () => {
    const { run } = pretend((_, { brief }, turn) =>
      report(brief ? [9] : [turn, 10 * turn], { maxAbsError: turn * 1e-7 }),
    );
    const { cases, failures } = await runTournament([own], options(run));
    expect(failures).toEqual([]);
    expect(cases).toMatchObject([
      {
        ...{ engine: "googlenet-wgsl", batch: 2, adapter: "card", rounds: 3, runs: 6, warmups: 2, checked: true },
        // Rounds are workers 2, 3 and 4: 2, 20, 3, 30, 4, 40.
        ...{ medianMs: 12, minMs: 2, maxMs: 40, p95Ms: 40, imagesPerSecond: 2000 / 12, coldMs: 103, coldMinMs: 102 },
        roundMediansMs: [11, 16.5, 22],
      },
    ]);
    expect(cases[0].maxAbsError).toBeCloseTo(4e-7, 12);
  });

  test("measures the fastest settings whose output is right", async () => {
    const variants = [{ kind: "slow" }, { kind: "wrong" }, { kind: "fast" }];
    const { log, run } = pretend((_, { settings }) =>
      settings["kind"] === "wrong"
        ? report([1], { maxAbsError: 1e-3 })
        : report([settings["kind"] === "fast" ? 2 : 20]),
    );
    const { cases } = await runTournament([contestant("tfjs-webgpu", variants)], options(run, { rounds: 1 }));
    expect(cases).toMatchObject([{ settings: { kind: "fast" }, medianMs: 2, checked: true }]);
    expect(cases[0].tried.map(({ minMs }) => minMs)).toEqual([20, null, 2]);
    expect(log).toHaveLength(3 + 1);
  });

  test("holds an engine that runs in another precision to that precision", async () => {
    const { run } = pretend(() => report([1], { maxAbsError: 1e-3 }));
    const whole: Contestant = { ...own, mode: "float32", precision: "f32" };
    const { cases } = await runTournament([own, whole], options(run, { precision: "f16" }));
    expect(cases).toMatchObject([
      { precision: "f16", mode: null, checked: true },
      { precision: "f32", mode: "float32", checked: false },
    ]);
  });

  test("gives settings that are close another try", async () => {
    const variants = [{ kind: "disturbed" }, { kind: "steady" }];
    let tries = 0;
    const { run } = pretend((_, { settings, brief }) => {
      if (settings["kind"] === "steady") return report([10]);
      return report([brief && tries++ === 0 ? 14 : 7]);
    });
    const { cases } = await runTournament([contestant("tfjs-webgpu", variants)], options(run));
    expect(cases).toMatchObject([{ settings: { kind: "disturbed" } }]);
  });

  test.each([
    ["an error beyond tolerance", 6e-6, 6e-6],
    ["what is not a number", null, NaN],
  ])("does not call %s checked, in whatever round it came", async (_, error, shown) => {
    const { run } = pretend((__, ___, turn) => report([1], turn === 3 ? { maxAbsError: error } : {}));
    const { cases } = await runTournament([own], options(run));
    expect(cases).toMatchObject([{ checked: false, maxAbsError: shown }]);
  });

  test("leaves out who fails, and says why", async () => {
    const { log, run } = pretend((engine, _, turn) => {
      if (engine === "onnxruntime-webgpu" && turn > 4) throw new WorkerFailure("it died of SIGSEGV");
      if (engine === "tfjs-webgpu") throw new WorkerFailure("no such module");
      return report([1]);
    });
    const { cases, failures } = await runTournament([own, contestant("tfjs-webgpu"), peer], options(run));
    expect(cases.map(({ engine }) => engine)).toEqual(["googlenet-wgsl"]);
    expect(failures.map(({ engine, reason }) => [engine, reason])).toEqual([
      ["tfjs-webgpu", "no such module"],
      ["onnxruntime-webgpu", "it died of SIGSEGV"],
    ]);
    // Nobody waits for who is out.
    expect(log.filter((who) => who === "onnxruntime-webgpu")).toHaveLength(1);
    expect(log.filter((who) => who === "googlenet-wgsl")).toHaveLength(3);
  });

  test("tries nothing twice that failed once", async () => {
    const { log, run } = pretend(() => {
      throw new WorkerFailure("no adapter");
    });
    const { cases } = await runTournament([contestant("tfjs-webgpu", [{ a: 1 }, { a: 2 }])], options(run));
    expect({ cases, tries: log.length }).toEqual({ cases: [], tries: 2 });
  });

  test("divides runs and seconds among the rounds", async () => {
    const jobs: Job[] = [];
    const { run } = pretend((_, job) => {
      jobs.push(job);
      return report([1]);
    });
    await runTournament([own], options(run, { runs: 7, seconds: 9 }));
    expect(jobs.slice(1).map(({ runs, seconds, warmups }) => [runs, seconds, warmups])).toEqual([
      [3, 3, 1],
      [3, 3, 1],
      [3, 3, 1],
    ]);
  });

  test("tells how far it is", async () => {
    const { run } = pretend(() => report([1]));
    const seen: string[] = [];
    await runTournament(
      [own, contestant("tfjs-webgpu", [{ a: 1 }, { a: 2 }])],
      options(run, { rounds: 1, onProgress: (done, total) => seen.push(`${done}/${total}`) }),
    );
    expect(seen).toEqual(["0/5", "1/5", "2/5", "3/7", "4/7", "5/7", "6/7"]);
  });
});
