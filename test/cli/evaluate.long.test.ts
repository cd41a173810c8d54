/** Every protocol on the photographs, and a run that is killed, by the command: minutes on a software GPU. */

import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { CROP_COUNTS } from "../../src/image/crops.ts";
import { describeGpu } from "../support/gpu.ts";
import { havePhotos, labelledPhotos, photosPath, trainedPath } from "../support/labelled_photos.ts";
import { googlenet, objects } from "./googlenet.ts";

const root = mkdtempSync(path.join(tmpdir(), "googlenet evaluate "));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeGpu("evaluate on the GPU", () => {
  test.skipIf(!havePhotos).each(CROP_COUNTS)(
    "by %i crops photographs get their labels, by one model and by an ensemble (needs GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)",
    async (crops) => {
      const list = path.join(root, "photos.txt");
      writeFileSync(list, labelledPhotos.map(([file, [shown]]) => `${file} ${shown}\n`).join(""));
      const argv = ["evaluate", photosPath!, "--labels", list, "--crops", String(crops), "--json"];
      const model = ["--weights", trainedPath!];
      for (const weights of [model, [...model, ...model]]) {
        // Of 144 crops once is long enough.
        if (crops === 144 && weights !== model) continue;
        const { status, stdout } = await googlenet([...argv, ...weights]);
        expect(status).toBe(0);
        const lines = objects(stdout);
        for (const [file, classes] of labelledPhotos) {
          expect(classes, file).toContain((lines.find(({ image }) => image === file)?.["top5"] as number[])[0]);
        }
        expect(lines.at(-1)).toMatchObject({ images: 5, top5Error: 0, crops, models: weights.length / 2 });
      }
    },
  );

  test("killed in a shard, it goes on and merges to the very bits of one that nobody killed", async () => {
    const folder = path.join(root, "pictures");
    mkdirSync(path.join(folder, "tench"), { recursive: true });
    for (let index = 0; index < 6; index++) {
      const noise = { type: "gaussian", mean: 40 * index, sigma: 60 } as const;
      const create = { width: 60, height: 50, channels: 3, background: "#888", noise } as const;
      await sharp({ create }).toFile(path.join(folder, `tench/${index}.png`));
    }
    const evaluate = (name: string, shard: number, onStart?: (child: ChildProcess) => void) => {
      const state = ["--state", path.join(root, `${name}-${shard}.state`), "--shard", `${shard}/2`];
      const call = onStart ? { onStart } : {};
      return googlenet(["evaluate", folder, "--weights", "seed:1", "--batch", "1", ...state], call);
    };
    const merged = async (name: string) => {
      const states = [1, 2].map((shard) => path.join(root, `${name}-${shard}.state`));
      const { status, stdout } = await googlenet(["evaluate", "--json", "--merge", ...states]);
      expect(status).toBe(0);
      const lines = objects(stdout);
      return { pictures: lines.slice(0, -1), top1Error: lines.at(-1)!["top1Error"] };
    };
    for (const shard of [1, 2]) expect((await evaluate("whole", shard)).status).toBe(0);

    expect((await evaluate("killed", 1)).status).toBe(0);
    const state = path.join(root, "killed-2.state");
    const { status } = await evaluate("killed", 2, (child) => {
      const look = setInterval(() => {
        if (child.exitCode !== null || child.signalCode !== null) clearInterval(look);
        // The run, the device, and a picture.
        else if (existsSync(state) && readFileSync(state, "utf8").split("\n").length > 3) child.kill("SIGKILL");
      }, 2);
    });
    expect(status).toBeNull();
    const kept = readFileSync(state, "utf8");
    expect((await evaluate("killed", 2)).status).toBe(0);
    expect(readFileSync(state, "utf8").startsWith(kept.slice(0, kept.lastIndexOf("\n") + 1))).toBe(true);
    expect(await merged("killed")).toEqual(await merged("whole"));
  });
});
