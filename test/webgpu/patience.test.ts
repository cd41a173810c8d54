import { describe, expect, it, onTestFinished } from "vitest";
import { type DawnOptions, openAdapter, openGpu } from "../../src/node/dawn.ts";
import { Patience, pollingDevices } from "../../src/webgpu/patience.ts";
import { describeGpu } from "../support/gpu.ts";

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Runs that take this long from now on; when their results were asked for, and were there. */
async function run(patience: Patience, milliseconds: number): Promise<{ asked: number; done: number }> {
  const start = performance.now();
  const finished = sleep(milliseconds);
  let asked = 0;
  await patience.await(() => {
    asked = performance.now() - start;
    return finished;
  });
  return { asked, done: performance.now() - start };
}

describe("Patience", () => {
  it("asks at once for the first run's results, and late for those of a run like it", async () => {
    const patience = new Patience(true);
    expect((await run(patience, 100)).asked).toBeLessThan(50);
    const { asked, done } = await run(patience, 100);
    expect(asked).toBeGreaterThan(60);
    expect(done).toBeGreaterThan(90);
  });

  it("asks sooner once runs have become shorter, and at once when they are too short for a timer", async () => {
    const patience = new Patience(true);
    await run(patience, 60);
    for (let shorter = 0; shorter < 40; shorter++) await run(patience, 0);
    expect((await run(patience, 0)).asked).toBeLessThan(4);
  });

  it("never waits by a timer where promises are not polled for", async () => {
    const patience = new Patience(false);
    for (let time = 0; time < 3; time++) expect((await run(patience, 30)).asked).toBeLessThan(20);
  });

  it("slows the event loop's turns while a long run is out, and no longer", async () => {
    const patience = new Patience(true);
    const turnsWithin = async (milliseconds: number) => {
      const end = performance.now() + milliseconds;
      let turns = 0;
      for (; performance.now() < end; turns++) await new Promise((resolve) => setImmediate(resolve));
      return turns;
    };
    const out = patience.await(() => sleep(200));
    await sleep(20);
    const slow = await turnsWithin(50);
    await out;
    expect(slow).toBeLessThan(60);
    expect(await turnsWithin(50)).toBeGreaterThan(slow * 2);
  });

  it("passes failures on and keeps the loop free after them", async () => {
    const patience = new Patience(true);
    const failing = patience.await(async () => {
      await sleep(20);
      throw new Error("lost");
    });
    await expect(failing).rejects.toThrow("lost");
    expect((await run(patience, 0)).done).toBeLessThan(100);
  });
});

describeGpu("on the GPU, the event loop is slowed", () => {
  it.each<[DawnOptions, boolean]>([
    [{}, true],
    [{ slowsEventLoop: true }, true],
    [{ slowsEventLoop: false }, false],
  ])("for a device that openGpu opened with %o: %s", async (options, slows) => {
    const { device } = await openGpu(options);
    onTestFinished(() => device.destroy());
    expect(pollingDevices.has(device)).toBe(slows);
  });

  it("for no device of the caller's own", async () => {
    const device = await (await openAdapter()).requestDevice();
    onTestFinished(() => device.destroy());
    expect(pollingDevices.has(device)).toBe(false);
  });
});
