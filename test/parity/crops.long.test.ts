/** The paper's 144 crops through the whole network: labels of photographs, and the CPU reference's probabilities. */

import { describe, expect, test } from "vitest";
import { ReferenceClassifier } from "../../src/classify/reference.ts";
import { decodeImage } from "../../src/node/decode.ts";
import { widestTolerances } from "../../src/verify/compare.ts";
import { difference } from "../support/close.ts";
import { describeGpu, useGpu } from "../support/gpu.ts";
import { havePhotos, labelledPhotos, photoPath } from "../support/labelled_photos.ts";
import { best, classifyPhotos, trainedModel } from "./protocols.ts";

describeGpu("photographs on the GPU, trained weights (GOOGLENET_WEIGHTS and GOOGLENET_PHOTOS)", () => {
  const gpu = useGpu();

  describe.skipIf(!havePhotos).each(["crops10", "crops144"] as const)("%s", (protocol) => {
    test.each(labelledPhotos)("%s gets its label", async (file, classes) => {
      const [result] = await classifyPhotos(gpu.device, await trainedModel(), protocol, [file]);
      expect(classes).toContain(best(result));
    });
  });

  test.skipIf(!havePhotos)("the space shuttle has, by 144 crops, the reference's probabilities", async () => {
    const file = "opencv_space_shuttle.jpg";
    const model = await trainedModel();
    const [actual] = await classifyPhotos(gpu.device, model, "crops144", [file]);
    const reference = new ReferenceClassifier([model], { protocol: "crops144" });
    for await (const { classification } of reference.classify([await decodeImage(photoPath(file))], (each) => each)) {
      const { maxAbs } = difference(actual.probabilities["prob"], classification!.probabilities["prob"]);
      expect(maxAbs).toBeLessThanOrEqual(widestTolerances.probability);
    }
  });
});
