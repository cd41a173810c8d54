/**
 * SHA-256 of what planner and algorithms make of the sample problems. That takes some 100 ms and hangs on the sources
 * alone, so the build writes it beside the compiled modules; in a checkout it is computed.
 */

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { describeSamples } from "../plan/sample.ts";
import { systemErrorCode } from "./system-errors.ts";

/** In `dist`: there is none in `src`. */
const written = new URL("../plan/samples.sha256", import.meta.url);

/** Computed unless the build did so. */
export function samplesDigest(): string {
  try {
    return readFileSync(written, "utf8");
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
    return computeSamplesDigest();
  }
}

export function computeSamplesDigest(): string {
  return createHash("sha256").update(describeSamples()).digest("hex");
}

/** For the build, of the modules that it just compiled. */
export function writeSamplesDigest(): void {
  writeFileSync(written, computeSamplesDigest());
}
