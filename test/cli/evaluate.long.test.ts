/** Every protocol on the photographs, by the command: minutes on a software GPU. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
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
});
