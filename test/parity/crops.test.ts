/** Photographs through the whole network crop by crop; what takes minutes is in crops.long.test.ts. */

import { expect, test } from "vitest";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { havePhotos, labelledPhotos } from "../support/labelled_photos.ts";
import { best, classifyPhotos, trainedModel } from "./protocols.ts";

describeGpu("photographs on the GPU, trained weights (GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)", () => {
  const gpu = useGpu();

  test.skipIf(!havePhotos)("get their labels by 10 crops", async () => {
    const two = labelledPhotos.slice(0, 2);
    const files = two.map(([file]) => file);
    const results = await classifyPhotos(gpu.device, await trainedModel(), "crops10", files);
    two.forEach(([file, classes], index) => {
      expect(classes, file).toContain(best(results[index]));
    });
  });
});
