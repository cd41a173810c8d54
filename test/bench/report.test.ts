import { describe, expect, test } from "vitest";
import { barChart } from "../../bench/report/chart.ts";
import { newestRecords } from "../../bench/report/records.ts";
import { renderReport } from "../../bench/report/render.ts";
import { standing, standingIn, targets } from "../../bench/report/targets.ts";
import { parseEngines } from "../../src/bench/engines.ts";
import type { OwnFigures } from "../../src/bench/own-figures.ts";
import { type BenchEnvironment, type BenchRecord, resultName } from "../../src/bench/record.ts";
import type { MeasuredCase } from "../../src/bench/tournament.ts";

const environment: BenchEnvironment = {
  ...{ adapter: "llvmpipe: Mesa 25", date: "2026-01-31T12:34:56.789Z", version: "0.1.0", commit: "abc" },
  ...{ webgpu: "0.6.2", node: "20.20.2", cpu: "EPYC", cores: 2, memoryBytes: 1, os: "Linux 6" },
  ...{ weights: "bvlc_googlenet", validation: true, missing: [], command: ["bench", "--peers"] },
};

const measured = (
  engine: MeasuredCase["engine"],
  medianMs: number,
  changes: Partial<MeasuredCase> = {},
): MeasuredCase => ({
  ...{ engine, backend: "webgpu", mode: null, adapter: "llvmpipe", precision: "f32", batch: 1, medianMs },
  ...{ minMs: medianMs, p95Ms: medianMs, maxMs: medianMs, spread: 0.05, imagesPerSecond: 1000 / medianMs },
  ...{ medianNoReadbackMs: null, imagesPerSecondInFlight: null, inFlight: null, coldMs: 10 * medianMs, coldMinMs: 1 },
  ...{ checked: true, maxAbsError: 1e-7, settings: {}, tried: [], versions: { [engine]: "1" }, rounds: 5, runs: 50 },
  ...{ warmups: 3, roundMediansMs: [] },
  ...changes,
});

const record = (cases: readonly MeasuredCase[], changes: Partial<BenchEnvironment> = {}): BenchRecord => ({
  environment: { ...environment, ...changes },
  cases,
  failures: [],
});

const own = measured("googlenet-wgsl", 100);
const [batch1, batch8, cold] = targets;

describe("a target", () => {
  test("is held against the faster of its peers, whose output was right", () => {
    const peers = [measured("onnxruntime-webgpu", 600), measured("tfjs-webgpu", 700), measured("onnxruntime-cpu", 30)];
    expect(standing(batch1, record([own, ...peers]))).toMatchObject({
      value: 6,
      reached: true,
      against: { engine: "onnxruntime-webgpu" },
    });
    const wrong = { ...peers[0], checked: false };
    expect(standing(batch1, record([own, wrong, peers[1]]))).toMatchObject({
      value: 7,
      against: { engine: "tfjs-webgpu" },
    });
    expect(standing(cold, record([own, ...peers])).value).toBe(6);
  });

  test.each([
    ["this engine's output was wrong", [{ ...own, checked: false }, measured("tfjs-webgpu", 700)]],
    ["no peer was there", [own, measured("onnxruntime-cpu", 30)]],
    ["the batch is another", [{ ...own, batch: 8 }, measured("tfjs-webgpu", 700)]],
  ])("was not measured where %s", (_, cases) => {
    expect(standing(batch1, record(cases)).value).toBeNull();
  });

  test("is met by a cold start that is as fast, and by nothing else that is no faster", () => {
    const peer = measured("onnxruntime-webgpu", 100);
    expect(standing(cold, record([own, peer]))).toMatchObject({ value: 1, reached: true });
    const pytorch = targets.find(({ title }) => title.startsWith("NVIDIA, batch 1, against PyTorch"))!;
    const modes = ["eager", "compiled", "cuda-graph"].map((mode) => measured("pytorch-cuda", 100, { mode }));
    expect(standing(pytorch, record([own, ...modes]))).toMatchObject({ value: 1, reached: false, partial: false });
  });

  test("against PyTorch is partly measured without one of its modes", () => {
    const pytorch = targets.find(({ title }) => title.startsWith("NVIDIA, batch 1, against PyTorch"))!;
    const cases = [own, ...["eager", "compiled"].map((mode) => measured("pytorch-cuda", 200, { mode }))];
    const found = record(cases, { adapter: "NVIDIA H100" });
    expect(standing(pytorch, found)).toMatchObject({
      value: 2,
      partial: true,
      absence: "not measured right: cuda-graph",
    });
    const text = renderReport([{ name: "a.json", record: found }]);
    expect(text).toContain("| faster | 2.00× (partly measured) |");
    expect(text).toContain("| not measured right: cuda-graph |");
  });

  test("of throughput counts batches in flight", () => {
    const target = targets.find(({ measure, precision }) => measure === "throughput" && precision === "f32")!;
    const cases = [
      measured("googlenet-wgsl", 64, { batch: 64, imagesPerSecond: 1000, imagesPerSecondInFlight: 3000 }),
      measured("pytorch-cuda", 64, { batch: 64, imagesPerSecond: 2000, mode: "eager" }),
    ];
    expect(standing(target, record(cases)).value).toBeCloseTo(1.5);
  });
});

describe("of several records", () => {
  const named = (date: string, cases: readonly MeasuredCase[], changes: Partial<BenchEnvironment> = {}) => ({
    name: `${date}.json`,
    record: record(cases, { date: `${date}T00:00:00.000Z`, ...changes }),
  });
  const peer = measured("onnxruntime-webgpu", 600);
  const shown = (records: Parameters<typeof newestRecords>[0]) => newestRecords(records).map(({ name }) => name);

  test("the newest of each device and precision are shown", () => {
    const records = [
      named("2026-01-01", [own, peer]),
      named("2026-01-02", [own], { adapter: "NVIDIA H100" }),
      named("2026-01-03", [own, peer]),
      named("2026-01-04", [{ ...own, precision: "f16" }]),
    ];
    expect(shown(records).sort()).toEqual(["2026-01-02.json", "2026-01-03.json", "2026-01-04.json"]);
  });

  test("float32 beside a float16 that failed is none of the float32 records", () => {
    const beside = measured("googlenet-wgsl", 50, { mode: "float32" });
    const records = [
      named("2026-01-01", [own, peer], { precision: "f32" }),
      named("2026-01-02", [beside], { precision: "f16" }),
    ];
    expect(shown(records)).toEqual(["2026-01-01.json", "2026-01-02.json"]);
    expect(renderReport(records)).toContain("## llvmpipe: Mesa 25, float16, 2026-01-02");
  });

  test("targets go back to an older record where the newest says nothing of them", () => {
    const eight = [measured("googlenet-wgsl", 400, { batch: 8 }), measured("tfjs-webgpu", 2400, { batch: 8 })];
    const text = renderReport([named("2026-01-01", [own, peer, ...eight]), named("2026-01-02", [own, peer])]);
    expect(text).toContain(`| ${batch8.title} | 5× faster | 6.00× |`);
    expect(text).not.toContain("(results/2026-01-01.json)");
  });
});

describe("the report", () => {
  const name = "2026-01-31T12-34-56Z-llvmpipe-mesa-25.json";
  const missing = [{ engine: "pytorch-cuda", reason: "python3 has no PyTorch", install: null }] as const;
  const text = renderReport([
    { name, record: record([own, measured("tfjs-webgpu", 400, { maxAbsError: 2e-6 })], { missing }) },
  ]);

  test("shows figures with device, date, command and record", () => {
    for (const part of ["llvmpipe: Mesa 25", "2026-01-31", "`googlenet bench --peers`", `(results/${name})`, "abc"]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("| tfjs-webgpu | f32 | 1 | 400 ms |");
  });

  test("says what was reached, what was missed, and what was not measured", () => {
    expect(text).toContain("| 5× faster | 4.00× (missed) | tfjs-webgpu |");
    expect(text).toContain("- pytorch-cuda on llvmpipe: Mesa 25: python3 has no PyTorch");
    expect(text).toContain("- onnxruntime-webgpu on llvmpipe: Mesa 25: not asked for");
    // Every target has its row, with its figure or why there is none.
    for (const { title } of targets) expect(text).toContain(`| ${title} |`);
    expect(text).toContain(`| ${batch8.title} | 5× faster | not measured |  |  | batch 8 in f32 was not run |`);
    expect(text).toMatch(
      /NVIDIA, batch 1, [^|]* \| 3× faster \| not measured \|.*\| there is no record of an NVIDIA GPU \|/,
    );
    expect(text).toContain("| onnxruntime-webgpu: not asked for |");
  });

  test("says what bounds this engine where it misses a target", () => {
    const figures: OwnFigures = {
      ...{ tuned: true, steps: 100, peakBytes: 10.4e6, defaultPeakBytes: 4.82e6, encodeMs: 0.5, encodeUnsafeMs: 0.4 },
      ...{ encodeStreamedMs: 0.3, encodeClock: "schedstat" },
      gpu: { gpuMs: 90, leastMs: 40, ceilings: { gflops: 80, gbps: 20 } },
    };
    const slow = record([{ ...own, own: figures }, measured("tfjs-webgpu", 400)]);
    const report = renderReport([{ name, record: slow }]);
    expect(report).toContain(
      "of a run of 100 ms, its steps take 90.0 ms on the GPU, where the roofline (80.0 GFLOP/s, 20.0 GB/s, measured) allows 40.0 ms to direct convolution in float32, which Winograd convolution and float16 may undercut |",
    );
    expect(report).toContain("| at most 4.90 MB | 10.4 MB (missed) |");
    expect(report).toContain("the tuned plan's; 4.82 MB as by default |");
    expect(report).toContain("| 500 µs (missed) |");
    expect(report).toContain(
      "100 dispatches, 5.0 µs each with Dawn's validation, 4.0 µs without; 3.0 µs in a stream of runs",
    );
    // A bound that is too high says nothing, and records that don't say what told the time have no more than that.
    for (const clock of ["bound", undefined]) {
      const bounded = { ...figures, encodeClock: clock } as OwnFigures;
      const text = renderReport([{ name, record: record([{ ...own, own: bounded }]) }]);
      expect(text).toContain("| at most 500 µs (unknown whether less) |");
      expect(text).toContain("; nothing told the thread's own time there");
      expect(text).toContain("at most 500 µs of the main thread");
    }
    const right = record([{ ...own, own: { ...figures, encodeMs: 0.2, peakBytes: 4.82e6 } }]);
    expect(
      standingIn(
        targets.find(({ measure }) => measure === "encode")!,
        [slow, right],
      ).reached,
    ).toBe(true);
    expect(
      standingIn(
        targets.find(({ measure }) => measure === "memory")!,
        [right],
      ).reached,
    ).toBe(true);
  });

  const figures: OwnFigures = {
    ...{ tuned: false, steps: 92, peakBytes: 4.82e6, defaultPeakBytes: 4.82e6, gpu: null },
    ...{ encodeMs: 0.5, encodeStreamedMs: 0.3, encodeUnsafeMs: 0.4, encodeClock: "thread" },
  };

  test("tells what was tried where a target is missed, and not where it is reached", () => {
    const missed = renderReport([{ name, record: record([{ ...own, own: figures }]) }]);
    expect(missed).toMatch(/500 µs \(missed\) \|.*; tried: bind groups, pipelines and uniforms are made once/);
    const reached = renderReport([{ name, record: record([{ ...own, own: { ...figures, encodeMs: 0.2 } }]) }]);
    expect(reached).not.toContain("tried:");
  });

  test("warns where leaving out the copy back took longer, beyond the spread", () => {
    const [wide, narrow] = [0.5, 0.1].map((spread) =>
      renderReport([{ name, record: record([{ ...own, medianNoReadbackMs: 130, spread }]) }]),
    );
    expect(wide).not.toContain("Beware");
    expect(narrow).toContain("**Beware:** `no read-back` of googlenet-wgsl at batch 1 is above the median");
  });

  test("says where no tuned run, no large batch and no trained weights were measured", () => {
    const tuned = { settings: { tuning: "/verdicts" }, minMs: 120 };
    const render = (weights: string, ...cases: readonly MeasuredCase[]) =>
      renderReport([{ name, record: record(cases, { weights }) }]).split("## Not measured")[1];
    const little = render("seed:1", { ...own, own: figures });
    expect(little).toContain("- this engine as tuned, on llvmpipe: Mesa 25 in float32: every run was by default");
    expect(little).toContain("- batch 64 on llvmpipe: Mesa 25 in float32: not asked for");
    expect(little).toContain("- trained weights on llvmpipe: Mesa 25 in float32: seed:1 was measured");
    // Tried and slower than by default is measured, too.
    const much = render("bvlc_googlenet", { ...own, own: figures, tried: [tuned] }, { ...own, batch: 64 });
    for (const word of ["as tuned", "batch 64", "trained weights"]) expect(much).not.toContain(word);
  });

  test("holds float16 against this engine's float32 of the same run", () => {
    const f16 = targets.find(({ title }) => title.includes("float16 (right"))!;
    const half = measured("googlenet-wgsl", 1, { precision: "f16" });
    const whole = measured("googlenet-wgsl", 1.5, { mode: "float32" });
    expect(standing(f16, record([half, whole]))).toMatchObject({ value: 1.5, reached: true, own: half });
    expect(standing(f16, record([half]))).toMatchObject({ value: null });
    const even = { ...whole, medianMs: 1 };
    expect(standing(f16, record([half, even]))).toMatchObject({ value: 1, reached: false });
  });

  test("without records says of every target and engine that it was not measured", () => {
    const empty = renderReport([]);
    expect(empty).not.toContain("Nothing is missing");
    for (const { title } of targets) expect(empty).toContain(`- target: ${title}`);
    expect(empty).toContain("- engine: pytorch-cuda");
  });

  test("marks results that were wrong", () => {
    const wrong = record([{ ...own, checked: false, maxAbsError: 0.5 }]);
    expect(renderReport([{ name, record: wrong }])).toContain("**0.5: wrong**");
    expect(barChart(wrong)).toContain("(wrong output)");
  });

  test("draws a bar an engine, the longest over the whole width", () => {
    const svg = barChart(record([own, measured("tfjs-webgpu", 400)], { adapter: "a<b" }));
    const widths = [...svg.matchAll(/<rect x="230" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toEqual([130, 520]);
    expect(svg).toContain("a&lt;b");
  });
});

test("records are named by date and device", () => {
  expect(resultName(environment)).toBe("2026-01-31T12-34-56Z-llvmpipe-mesa-25.json");
  expect(resultName({ date: environment.date, adapter: null })).toBe("2026-01-31T12-34-56Z-several-adapters.json");
});

test("engines are named one by one, or all", () => {
  expect(parseEngines("tfjs-webgpu,onnxruntime-cpu")).toEqual(["tfjs-webgpu", "onnxruntime-cpu"]);
  expect(parseEngines("all")).toHaveLength(5);
  for (const wrong of ["tfjs", "", "all,tfjs-webgpu"]) {
    expect(() => parseEngines(wrong)).toThrow(expect.objectContaining({ code: "usage" }) as Error);
  }
});
