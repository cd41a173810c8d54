import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { fingerprint, recogniseWeights } from "../../src/weights/recognise.ts";

const a: Tensor = { shape: [1, 2], data: Float32Array.of(1, -0) };
const b: Tensor = { shape: [1], data: Float32Array.of(2) };

describe("fingerprint", () => {
  it("is the hash of the tensors' hashes, as documented", async () => {
    const sha256 = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    const text = `a 1x2 ${sha256(new Uint8Array(a.data.buffer))}\nb 1 ${sha256(new Uint8Array(b.data.buffer))}\n`;
    expect(await fingerprint(new Map(Object.entries({ b, a })))).toBe(sha256(text));
  });

  it("depends on values, names and shapes, not on order, auxiliary heads or where in memory the data lie", async () => {
    const original = await fingerprint(new Map(Object.entries({ a, b })));
    const shifted = { shape: [1, 2], data: Float32Array.of(9, 1, -0).subarray(1) };
    expect(await fingerprint(new Map(Object.entries({ b, a: shifted, "loss1/fc.bias": b })))).toBe(original);
    for (const other of [
      { a, c: b },
      { a: { ...a, shape: [2, 1] }, b },
      { a: { ...a, data: Float32Array.of(1, 0) }, b },
      { a },
      { a, b, "loss3/classifier.bias": b },
    ]) {
      expect(await fingerprint(new Map(Object.entries(other)))).not.toBe(original);
    }
  });
});

describe("recogniseWeights", () => {
  it("knows nothing of others", async () => {
    expect(await recogniseWeights(new Map())).toBe(null);
  });

  it.skipIf(!process.env["GOOGLENET_WEIGHTS"])(
    "knows BVLC's network, and sees a flipped bit (needs GOOGLENET_WEIGHTS)",
    async () => {
      const bytes = new Uint8Array(readFileSync(process.env["GOOGLENET_WEIGHTS"]!));
      const { tensors } = readSafetensors(bytes, "trained");
      expect(await recogniseWeights(tensors)).toBe("bvlc_googlenet");
      bytes[bytes.length - 4] ^= 1;
      expect(await recogniseWeights(tensors)).toBe(null);
    },
  );
});
