/** The page on a small profile: what it shows, and that nothing in it can do harm. */
import { describe, expect, test } from "vitest";
import { blocksOf, layersOf } from "../../src/profile/layers.ts";
import { placeLabels } from "../../src/profile/labels.ts";
import { logScale, logTicks } from "../../src/profile/log-scale.ts";
import { profilePage } from "../../src/profile/page.ts";
import { makeProfile } from "../../src/profile/profile.ts";
import { unclosed } from "../support/markup.ts";

const ceilings = { gflops: 100, gbps: 20, copiedBytes: 1e8 };

const profile = makeProfile(
  [
    ["conv1/7x7_s2 + conv1/relu_7x7", "conv_direct", 4e6, 1e5, 0.4],
    ["pool1/3x3_s2 + pool1/norm1", "pool_lrn", 0, 1e6, 0.1],
    ["inception_3a/1x1 + inception_3a/relu_1x1", "conv_pointwise", 1e6, 1e5, 0.05],
    ["inception_3a/3x3 + inception_3a/relu_3x3 (1 of 3)", "winograd2_input", 0, 1e5, 0.01],
    ["inception_3a/3x3 + inception_3a/relu_3x3 (2 of 3)", "conv_pointwise", 6e6, 1e5, 0.1],
    ["inception_3a/3x3 + inception_3a/relu_3x3 (3 of 3)", "winograd2_output", 0, 1e5, 0.02],
    ["pool3/3x3_s2", "pool_max", 0, 1e5, 0.02],
    ["loss1/conv", "conv_pointwise", 1e5, 1e5, 0.1],
    ["inception_4b/1x1", "conv_pointwise", 1e6, 1e5, 0.1],
    ["loss3/classifier", "fully_connected", 1e5, 4e5, 0.05],
    ["prob", "softmax", 0, 8e3, 0.05],
  ].map(([name, kernel, macs, bytes, gpuMs]) => ({
    step: { name: name as string, kernel: kernel as string, macs: macs as number, bytes: bytes as number },
    gpuMs: gpuMs as number,
  })),
  ceilings,
);

function page(changes: Partial<Parameters<typeof profilePage>[0]> = {}): string {
  return profilePage({
    profile,
    subject: "GoogLeNet",
    device: "A GPU",
    batch: 1,
    date: "2026-01-02T03:04:05Z",
    facts: [["Date", "today"]],
    ...changes,
  });
}

describe("layers", () => {
  test("are their steps together, named without ReLU, in the network's blocks", () => {
    const blocks = blocksOf(layersOf(profile)).map(({ name, layers }) => [name, ...layers.map(({ label }) => label)]);
    expect(blocks).toEqual([
      ["Stem", "conv1/7x7_s2", "pool1/3x3_s2 + norm1"],
      ["Inception 3a", "1x1", "3x3", "pool3/3x3_s2"],
      ["Auxiliary head 1", "loss1/conv"],
      ["Inception 4b", "1x1"],
      ["Classifier", "loss3/classifier", "prob"],
    ]);
  });

  test("know their kernels, longest first, and add up to the whole", () => {
    const layers = layersOf(profile);
    const [, , , winograd] = layers;
    expect(winograd).toMatchObject({ name: "inception_3a/3x3", steps: 3, macs: 6e6, bytes: 3e5 });
    expect(winograd.kernels.map(({ kernel }) => kernel)).toEqual([
      "conv_pointwise",
      "winograd2_output",
      "winograd2_input",
    ]);
    // 0.13 ms of 1 ms in all, after 0.55.
    expect([winograd.share, winograd.cumulative]).toEqual([expect.closeTo(0.13, 9), expect.closeTo(0.68, 9)]);
    expect(winograd.gflops).toBeCloseTo(12e6 / 0.13e6, 9);
    expect(layers.at(-1)!.cumulative).toBeCloseTo(1, 9);
  });
});

describe("the page", () => {
  test("is well-formed: every element that is opened is closed, in order", () => {
    expect(unclosed(page())).toEqual([]);
  });

  test("shows every layer as a bar, every multiplying layer as a dot, every step as a row", () => {
    const text = page();
    const bars = text.slice(text.indexOf('<table class="bars">'), text.indexOf("Against the device"));
    expect([...bars.matchAll(/<th scope="row" title="([^"]*)">/g)].map(([, name]) => name)).toEqual(
      layersOf(profile).map(({ name }) => name),
    );
    // Both plots, for wide and for narrow pages: 6 layers that multiply and 3 that don't.
    expect(text.match(/<g class="dot"/g)).toHaveLength(2 * (6 + 3));
    for (const { name } of profile.steps) expect(text).toContain(`<th scope="row">${name}</th>`);
    expect(text).toContain("arithmetic 100 GFLOP/s");
    expect(text).toContain("memory 20 GB/s");
    expect(text).toContain("<h1>GoogLeNet in 1.00 ms</h1>");
    expect(text).toContain("A GPU · batch 1 · 2026-01-02");
  });

  test("puts a dot where its intensity and its rate say", () => {
    const text = page();
    const plot = text.slice(text.indexOf('class="plot"'));
    // conv1: 80 operations a byte at 20 GFLOP/s; inception_4b/1x1: 20 at 20. Same height, the former to the right.
    const conv1 = dot(plot, "conv1/7x7_s2,");
    const small = dot(plot, "inception_4b/1x1,");
    expect(conv1.y).toBe(small.y);
    const decade = (conv1.x - small.x) / Math.log10(4);
    const other = dot(plot, "inception_3a/1x1,");
    expect(other).toMatchObject({ x: small.x });
    // As areas go, 0.4 ms is four times 0.1.
    expect(conv1.radius).toBeCloseTo(2 * small.radius, 1);
    expect(decade).toBeGreaterThan(0);
    expect(other.y).toBeLessThan(small.y);
  });

  test("asks nothing of anybody: no address, no script, and a policy that says so", () => {
    const text = page();
    expect(text).not.toMatch(/https?:|\/\/|<script|@import|url\(| on[a-z]+=|<(img|iframe|object|embed)/i);
    expect([...text.matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, target]) => target)).toEqual(["data:,"]);
    expect(text).toContain("default-src 'none'");
  });

  test("leads with no share above 100 %, and says what a ceiling was raised to", () => {
    const fast = makeProfile(
      [
        {
          step: { name: "inception_3a/1x1 + inception_3a/5x5_reduce", kernel: "conv", macs: 1e6, bytes: 1e5 },
          gpuMs: 0.01,
        },
        { step: { name: "pool3/3x3_s2", kernel: "pool_max", macs: 0, bytes: 1e6 }, gpuMs: 0.01 },
      ],
      ceilings,
    );
    const text = page({ profile: fast }).replace(/\s+/g, " ");
    expect(text).toContain(
      "The arithmetic ceiling is what inception_3a/1x1 + 5x5_reduce reached, more than was measured.",
    );
    expect(text).toContain("arithmetic 200 GFLOP/s");
    expect(text).toContain("whole run: 100 GFLOP/s, 100.0 % of the roofline");
    expect(page()).not.toContain("more than was measured");
  });

  test("takes every name as text", () => {
    const evil = `"><script>alert('1')</script>&\u0007`;
    const steps = makeProfile([{ step: { name: evil, kernel: evil, macs: 1e6, bytes: 1e5 }, gpuMs: 1 }], ceilings);
    const text = page({ profile: steps, subject: evil, device: evil, facts: [[evil, evil]] });
    expect(text).not.toContain("<script");
    expect(text).not.toContain("\u0007");
    expect(text).toContain("&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp; ");
    expect(unclosed(text)).toEqual([]);
  });

  test.each([
    ["no time at all", profile.steps.map((step) => ({ step, gpuMs: 0 }))],
    ["nothing that multiplies", profile.steps.map((step) => ({ step: { ...step, macs: 0 }, gpuMs: 1 }))],
    ["nothing else", profile.steps.map((step) => ({ step: { ...step, macs: 1e6 }, gpuMs: 1 }))],
  ])("stands with %s", (_, timed) => {
    const text = page({ profile: makeProfile(timed, ceilings) });
    expect(text).not.toMatch(/NaN|Infinity|∞|undefined/);
    expect(unclosed(text)).toEqual([]);
  });
});

test("a logarithmic scale gives each power of ten as much room, and ticks within itself", () => {
  const scale = logScale([1, 100], 0, 200, 1);
  expect([scale(1), scale(10), scale(100)]).toEqual([0, 100, 200]);
  expect(logTicks(scale)).toEqual([1, 2, 5, 10, 20, 50, 100]);
  expect(logTicks(logScale([1, 1e4], 0, 200, 1))).toEqual([1, 10, 100, 1000, 10000]);
});

test("labels avoid each other, the dots and the frame's edge; those without room are left out", () => {
  const frame = { left: 0, top: 0, right: 100, bottom: 40 };
  const [left, right] = [
    { x: 20, y: 20, radius: 10 },
    { x: 90, y: 20, radius: 10 },
  ];
  const placed = placeLabels(
    [
      { text: "left", dot: left },
      { text: "right", dot: right },
      { text: "much too long for this frame", dot: left },
    ],
    [left, right],
    frame,
  );
  // The first to the right of its dot; the second has neither room there nor, with the first in its way, before it.
  expect(placed.map(({ text }) => text)).toEqual(["left"]);
  expect(placed[0].x).toBe(34);
});

/** The dot whose description begins so, of the first plot that has it. */
function dot(text: string, label: string): { x: number; y: number; radius: number } {
  const start = text.indexOf(`aria-label="${label}`);
  const [, x, y, radius] = /cx="([\d.]+)"\s+cy="([\d.]+)"\s+r="([\d.]+)"/.exec(text.slice(start))!;
  return { x: Number(x), y: Number(y), radius: Number(radius) };
}
