/** Classification on the GPU: crops, ensembles and streams of pictures, against the reference. */

import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Classification, Classified } from "../../src/classify/classifier.ts";
import { GpuClassifier, type GpuClassifierOptions } from "../../src/classify/gpu.ts";
import { ReferenceClassifier } from "../../src/classify/reference.ts";
import type { Graph } from "../../src/graph/graph.ts";
import type { Model } from "../../src/graph/model.ts";
import { type Protocol, PROTOCOLS } from "../../src/image/crops.ts";
import type { RgbImage } from "../../src/image/resize.ts";
import { openGpu } from "../../src/node/dawn.ts";
import { kernelsOnDisk } from "../../src/node/kernels.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { noisePicture } from "../support/pictures.ts";
import { tiny, weightsFor } from "../webgpu/tiny.ts";

const model = (seed: number, graph = tiny): Model => ({ graph, weights: weightsFor(graph, seed) });

/** `tiny` with a second head behind its pool. */
const twoHeads: Graph = {
  ...tiny,
  nodes: [
    ...tiny.nodes,
    { name: "side/mean", op: { type: "pool_global_avg" }, inputs: ["pool"], output: "side/mean" },
    {
      name: "side/fc",
      op: { type: "fully_connected", outFeatures: 7, bias: true },
      inputs: ["side/mean"],
      output: "side/fc",
    },
    { name: "side/prob", op: { type: "softmax", axis: 1 }, inputs: ["side/fc"], output: "side/prob" },
  ],
  outputs: ["prob", "side/prob"],
};

const album = [noisePicture(40, 30), noisePicture(21, 33), noisePicture(8, 8), noisePicture(1, 1), noisePicture(90, 7)];

function expectClose(
  actual: Classification | undefined,
  expected: Classification | undefined,
  context = "",
  tolerance = 1e-6,
): void {
  expect(actual === undefined, context).toBe(expected === undefined);
  if (!actual || !expected) return;
  [actual.probabilities, ...actual.models].forEach((each, index) => {
    const wanted = [expected.probabilities, ...expected.models][index];
    expect(Object.keys(each)).toEqual(Object.keys(wanted));
    for (const [id, values] of Object.entries(each)) {
      expect(values).toHaveLength(wanted[id].length);
      expect(difference(values, wanted[id]).maxAbs, `${context} ${index} ${id}`).toBeLessThanOrEqual(tolerance);
    }
  });
  expect(actual.models).toHaveLength(expected.models.length);
  expect(actual.milliseconds).toBeGreaterThan(0);
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

/** What the reference says of pictures; of `undefined` nothing. */
async function reference(
  models: readonly Model[],
  protocol: Protocol,
  pictures: readonly (RgbImage | undefined)[],
): Promise<(Classification | undefined)[]> {
  const results = await collect(new ReferenceClassifier(models, { protocol }).classify(pictures, (each) => each));
  return results.map(({ classification }) => classification);
}

describeGpu("a classifier on the GPU", () => {
  const gpu = useGpu();

  const create = async (models: readonly Model[], options: Partial<GpuClassifierOptions> = {}) => {
    const classifier = await GpuClassifier.create(models, { device: gpu.device, kernels: kernelsOnDisk, ...options });
    onTestFinished(() => {
      classifier.dispose();
    });
    return classifier;
  };

  const classify = async (
    classifier: GpuClassifier,
    pictures: readonly (RgbImage | undefined)[],
  ): Promise<Classified<RgbImage | undefined>[]> =>
    collect(classifier.classify(pictures, (each) => each && classifier.prepare(each)));

  const expectRight = async (
    classifier: GpuClassifier,
    models: readonly Model[],
    protocol: Protocol,
    pictures: readonly (RgbImage | undefined)[] = album,
  ) => {
    const expected = await reference(models, protocol, pictures);
    const results = await classify(classifier, pictures);
    expect(results.map(({ item }) => item)).toEqual(pictures);
    results.forEach(({ classification }, index) => {
      expectClose(classification, expected[index], `picture ${index}`);
    });
  };

  test.each(PROTOCOLS)("%s: the probabilities of the reference", async (protocol) => {
    const models = [model(1)];
    await expectRight(await create(models, { protocol }), models, protocol);
  });

  test.each([1, 3])("in float16, crops cut as that, %i at once", async (batch) => {
    const models = [model(1), model(2, twoHeads)];
    const [half, single] = [
      await create(models, { protocol: "crops10", batch, precision: "f16" }),
      await create(models, { protocol: "crops10", batch }),
    ];
    const expected = await reference(models, "crops10", album);
    (await classify(half, album)).forEach(({ classification }, index) => {
      expectClose(classification, expected[index], `picture ${index}`, 5e-3);
    });
    await classify(single, album);
    expect(half.bytes).toBeLessThan(single.bytes);
  });

  test.each([
    ["crops144", 36],
    ["crops144", 50],
    ["crops144", 300],
    ["crops10", 3],
    ["crops10", 25],
    ["squash224", 2],
  ] as const)("%s, at most %i crops at once: the same", async (protocol, batch) => {
    const models = [model(2)];
    const classifier = await create(models, { protocol, batch });
    expect(classifier.batch).toBeLessThanOrEqual(batch);
    // Twice: the second stream finds what the last batch of the first, of another size, has left.
    for (const pictures of [album, album.slice(1)]) await expectRight(classifier, models, protocol, pictures);
  });

  test("items without a picture keep their place", async () => {
    const models = [model(3)];
    const classifier = await create(models, { protocol: "crops10", batch: 20 });
    const [a, b, c] = album;
    for (const pictures of [[undefined, a, b, undefined, undefined, c], [undefined], [a, undefined], []]) {
      await expectRight(classifier, models, "crops10", pictures);
    }
  });

  // Of 96×64, 108×72, 120×80 and 132×88, and an input of 56×56: every offset leaves as much on either side.
  test("a picture and its mirror image have the same probabilities, but not by one crop", async () => {
    const models = [model(4, { ...tiny, inputs: [{ name: "data", shape: ["N", 3, 56, 56] }] })];
    const picture = noisePicture(300, 200);
    const mirrored = new Uint8Array(picture.data.length);
    for (let pixel = 0; pixel < 300 * 200; pixel++) {
      const twin = pixel - (pixel % 300) + 299 - (pixel % 300);
      mirrored.set(picture.data.subarray(pixel * 3, pixel * 3 + 3), twin * 3);
    }
    for (const protocol of ["crops10", "crops144", "squash256"] as const) {
      const results = await classify(await create(models, { protocol }), [picture, { ...picture, data: mirrored }]);
      const [one, other] = results.map(({ classification }) => classification!.probabilities["prob"]);
      const { maxAbs } = difference(one, other);
      if (protocol === "squash256") expect(maxAbs).toBeGreaterThan(1e-5);
      else expect(maxAbs, protocol).toBeLessThanOrEqual(1e-6);
    }
  });

  describe("an ensemble", () => {
    test("averages over models, and shows each one's own, whatever heads they have", async () => {
      const models = [model(5), model(6, twoHeads), model(7, twoHeads)];
      const classifier = await create(models, { protocol: "crops10" });
      await expectRight(classifier, models, "crops10");
      const [{ classification }] = await classify(classifier, album);
      const { probabilities, models: own } = classification!;
      own[0]["prob"].forEach((_, index) => {
        const mean = (own[0]["prob"][index] + own[1]["prob"][index] + own[2]["prob"][index]) / 3;
        expect(probabilities["prob"][index]).toBeCloseTo(mean, 6);
      });
      own[1]["side/prob"].forEach((_, index) => {
        expect(probabilities["side/prob"][index]).toBeCloseTo(
          (own[1]["side/prob"][index] + own[2]["side/prob"][index]) / 2,
          6,
        );
      });
      for (const [index, single] of models.entries()) {
        const alone = await create([single], { protocol: "crops10" });
        const [result] = await classify(alone, album);
        for (const [id, values] of Object.entries(result.classification!.probabilities)) {
          expect(difference(own[index][id], values).maxAbs).toBeLessThanOrEqual(1e-6);
        }
      }
    });

    test("has each model's weights on the device once, however many batches there are", async () => {
      const createBuffer = vi.spyOn(gpu.device, "createBuffer");
      onTestFinished(() => createBuffer.mockRestore());
      const classifier = await create([model(8), model(9)], { protocol: "crops144", batch: 36 });
      await classify(classifier, album);
      const labels = createBuffer.mock.calls.map(([{ label }]) => label);
      for (const parameter of ["stem.weight", "left.weight", "right.weight", "fc.weight"]) {
        expect(labels.filter((label) => label === parameter)).toHaveLength(2);
      }
    });
  });

  test("a head that is not asked for costs nothing, though its weights are there", async () => {
    const weights = weightsFor(twoHeads, 1);
    const createBuffer = vi.spyOn(gpu.device, "createBuffer");
    const write = vi.spyOn(gpu.device.queue, "writeBuffer");
    onTestFinished(() => {
      createBuffer.mockRestore();
      write.mockRestore();
    });
    const sizes = async (given: Model["weights"], graph: Graph) => {
      createBuffer.mockClear();
      write.mockClear();
      const { bytes } = await create([{ graph, weights: given }]);
      const labels = createBuffer.mock.calls.map(([{ label }]) => label);
      return { bytes, labels, writes: write.mock.calls.length };
    };
    const without = new Map([...weights].filter(([name]) => !name.startsWith("side/")));
    expect(await sizes(weights, tiny)).toEqual(await sizes(without, tiny));
    expect((await sizes(weights, twoHeads)).labels).toContain("side/fc.weight");
  });

  test("144 crops cost one upload of the picture, and no more than it", async () => {
    const classifier = await create([model(1), model(2)], { protocol: "crops144", batch: 36 });
    const picture = classifier.prepare(album[0]);
    await collect(classifier.classify([picture], (each) => each));
    const write = vi.spyOn(gpu.device.queue, "writeBuffer");
    const submit = vi.spyOn(gpu.device.queue, "submit");
    onTestFinished(() => {
      write.mockRestore();
      submit.mockRestore();
    });
    await collect(classifier.classify([picture], (each) => each));
    expect(write).toHaveBeenCalledTimes(1);
    const [[, , contents]] = write.mock.calls;
    const tables = picture.pixels.byteLength + picture.taps.byteLength + picture.crops.byteLength;
    expect((contents as Uint32Array).byteLength).toBeLessThan(tables + 7 * 256);
    expect(submit).toHaveBeenCalledTimes(4);
  });

  test("the next pictures are submitted before the first one's results are back", async () => {
    const classifier = await create([model(1)], { protocol: "crops10", batch: 10 });
    const submit = vi.spyOn(gpu.device.queue, "submit");
    onTestFinished(() => submit.mockRestore());
    let taken = 0;
    const submittedAtResult: number[] = [];
    const source = (function* () {
      for (const picture of [...album, ...album]) {
        taken++;
        yield classifier.prepare(picture);
      }
    })();
    for await (const { classification } of classifier.classify(source, (each) => each)) {
      expect(classification).toBeDefined();
      submittedAtResult.push(submit.mock.calls.length);
      // And no more of them are in memory than that.
      expect(taken).toBeLessThanOrEqual(submittedAtResult.length + classifier.picturesUnderWay);
    }
    expect(submittedAtResult).toHaveLength(10);
    submittedAtResult.slice(0, -1).forEach((submitted, index) => {
      expect(submitted).toBeGreaterThanOrEqual(index + 2);
    });
  });

  test("progress counts every crop", async () => {
    for (const [protocol, batch] of [
      ["crops144", 40],
      ["crops10", 25],
    ] as const) {
      const classifier = await create([model(1)], { protocol, batch });
      let crops = 0;
      const onProgress = (more: number) => (crops += more);
      await collect(classifier.classify(album, (each) => classifier.prepare(each), { onProgress }));
      expect(crops).toBe(album.length * classifier.crops);
    }
  });

  describe("ends", () => {
    test("early, and can be used again; not twice at once", async () => {
      const models = [model(1)];
      const classifier = await create(models, { protocol: "crops10", batch: 10 });
      let closed = false;
      const endless = (function* () {
        try {
          for (;;) yield album[0];
        } finally {
          closed = true;
        }
      })();
      for await (const { item } of classifier.classify(endless, (each) => classifier.prepare(each))) {
        expect(item).toBe(album[0]);
        await expect(classify(classifier, album)).rejects.toThrow(/^classifier: it has a stream under way; wait/);
        break;
      }
      expect(closed).toBe(true);
      await expectRight(classifier, models, "crops10");
    });

    test("where its signal comes, with its reason", async () => {
      const models = [model(1)];
      const classifier = await create(models, { protocol: "crops10", batch: 10 });
      const abort = new AbortController();
      const stream = classifier.classify(album, (each) => classifier.prepare(each), { signal: abort.signal });
      await stream.next();
      abort.abort(new Error("enough"));
      await expect(collect(stream)).rejects.toThrow("enough");
      await expectRight(classifier, models, "crops10");
    });

    test("where the source fails, after the results before", async () => {
      const classifier = await create([model(1)], { protocol: "crops10", batch: 10 });
      const source = (function* () {
        yield album[0];
        throw new Error("no more");
      })();
      const stream = classifier.classify(source, (each) => classifier.prepare(each));
      expect((await stream.next()).value).toMatchObject({ item: album[0] });
      await expect(stream.next()).rejects.toThrow("no more");
    });

    test("with disposal: nothing stays allocated", async () => {
      const live = new Set<GPUBuffer>();
      const { device } = gpu;
      const createBuffer = device.createBuffer.bind(device);
      const spy = vi.spyOn(device, "createBuffer").mockImplementation((descriptor) => {
        const buffer = createBuffer(descriptor);
        live.add(buffer);
        const destroy = buffer.destroy.bind(buffer);
        buffer.destroy = () => {
          live.delete(buffer);
          destroy();
          return undefined;
        };
        return buffer;
      });
      onTestFinished(() => spy.mockRestore());
      const classifier = await create([model(1), model(2)], { protocol: "crops144", batch: 36 });
      await classify(classifier, album);
      expect(live.size).toBeGreaterThan(0);
      expect(classifier.bytes).toBeGreaterThan(0);
      const waiting = classify(classifier, album);
      const settled = Promise.allSettled([waiting]);
      await Promise.resolve();
      classifier.dispose();
      expect(await settled).toMatchObject([{ status: "rejected", reason: { code: "device-lost" } }]);
      expect([...live].map(({ label }) => label)).toEqual([]);
    });

    test("with the device, and says so", async () => {
      const { device } = await openGpu();
      const classifier = await create([model(1)], { device, protocol: "crops10", batch: 10 });
      const stream = classifier.classify(album, (each) => classifier.prepare(each));
      await stream.next();
      device.destroy();
      await expect(collect(stream)).rejects.toMatchObject({ code: "device-lost" });
      await expect(classify(classifier, album)).rejects.toMatchObject({ code: "device-lost" });
    });
  });

  test("models that don't fit together, and none, are refused", async () => {
    const wide: Graph = { ...tiny, inputs: [{ name: "data", shape: ["N", 3, 8, 9] }] };
    const other: Graph = { ...tiny, inputs: [{ name: "data", shape: ["N", 3, 16, 16] }] };
    await expect(create([])).rejects.toThrow(/^models: there is none; give one or more$/);
    await expect(create([{ graph: wide, weights: new Map() }])).rejects.toThrow(/^model tiny: its input is N×3×8×9; /);
    await expect(create([model(1), { graph: other, weights: new Map() }])).rejects.toThrow(
      /^models: their inputs differ: data of 8×8, data of 16×16; give models of one graph$/,
    );
  });

  test("too little memory for one crop is refused before anything is made", async () => {
    const createBuffer = vi.spyOn(gpu.device, "createBuffer");
    onTestFinished(() => createBuffer.mockRestore());
    await expect(create([model(1)], { memory: 100 })).rejects.toMatchObject({ code: "out-of-memory" });
    expect(createBuffer).not.toHaveBeenCalled();
  });
});
