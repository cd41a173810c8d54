/** How long a classifier waits for pictures: by a clock that the test sets, and on the GPU. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GpuClassifier } from "../../src/classify/gpu.ts";
import { IdleTime } from "../../src/classify/idle.ts";
import { ReferenceClassifier } from "../../src/classify/reference.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { noisePicture } from "../support/pictures.ts";
import { freshSeed, uniform } from "../support/random.ts";
import { tiny, weightsFor } from "../webgpu/tiny.ts";

describe("by a clock", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  const after = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
  const passing = (milliseconds: number) => new Promise<void>((resolve) => void setTimeout(resolve, milliseconds));

  /** Items that come so many milliseconds after they were asked for. */
  async function* coming(delays: readonly number[]): AsyncGenerator<number, void, undefined> {
    for (const [index, delay] of delays.entries()) {
      await passing(delay);
      yield index;
    }
  }

  function watched(delays: readonly number[]) {
    const told: number[] = [];
    const idle = new IdleTime((milliseconds) => told.push(milliseconds));
    return { told, idle, items: idle.watch(coming(delays)) };
  }

  test("a wait counts once something was computed, and only while nothing is", async () => {
    const seed = freshSeed();
    const next = uniform(seed);
    const some = () => 1 + Math.floor(500 * next());
    const { told, idle, items } = watched([some(), 400, 300]);
    // Before the first, nothing was there to be kept from work.
    const first = items.next();
    await after(600);
    await first;
    expect(told).toEqual([]);
    // 400 for the next one, 250 of them computing.
    const second = items.next();
    const computing = idle.during(() => passing(250));
    await after(400);
    await Promise.all([second, computing]);
    expect(told, `seed ${seed}`).toEqual([150]);
    // Time that nobody asks for pictures in is no wait.
    await after(some());
    const third = items.next();
    await after(100);
    // Two at once, which begin in the middle of the wait and end after it.
    const both = [500, 350].map((each) => idle.during(() => passing(each)));
    await after(500);
    await Promise.all([third, ...both]);
    expect(told).toEqual([150, 100]);
  });

  test("an end that has to be waited for, and a stream that is given up, are told as well", async () => {
    const { told, idle, items } = watched([0, 200]);
    await Promise.all([items.next(), after(0)]);
    await Promise.all([idle.during(() => passing(10)), after(10)]);
    const second = items.next();
    await after(200);
    await second;
    await items.return();
    expect(told).toEqual([200]);
  });
});

/** Each picture is asked for when the one before it is done, and then takes so long. */
async function waits(classifier: {
  classify: GpuClassifier["classify"] | ReferenceClassifier["classify"];
  prepare: (image: RgbImage) => unknown;
}): Promise<number[]> {
  const told: number[] = [];
  let done: () => void = () => undefined;
  async function* pictures() {
    for (let index = 0; index < 4; index++) {
      const before = new Promise<void>((resolve) => {
        done = resolve;
      });
      yield noisePicture(9, 9);
      await before;
      await sleep(30);
    }
  }
  const classify = classifier.classify.bind(classifier) as GpuClassifier["classify"];
  const prepare = classifier.prepare.bind(classifier) as GpuClassifier["prepare"];
  const onIdle = (milliseconds: number) => told.push(milliseconds);
  for await (const { classification } of classify(pictures(), prepare, { onIdle })) {
    expect(classification).toBeDefined();
    done();
  }
  return told;
}

test("the reference says how long it waited", async () => {
  const told = await waits(new ReferenceClassifier([{ graph: tiny, weights: weightsFor(tiny, 1) }]));
  expect(told.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(4 * 28);
});

describeGpu("on the GPU", () => {
  const gpu = useGpu();

  test("a device that gets no pictures has nothing to do", async () => {
    const models = [{ graph: tiny, weights: weightsFor(tiny, 1) }];
    using classifier = await GpuClassifier.create(models, { device: gpu.device, kernels: kernelsOnDisk, batch: 1 });
    const told = await waits(classifier);
    expect(told.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(4 * 28);
  });
});
