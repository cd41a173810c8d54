/** What the package says about itself, and its files. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The package's folder, with `kernels`, `assets` and package.json in it, in a checkout and installed alike. */
const root = new URL("../../", import.meta.url);

/** The version of googlenet-wgsl, `0.1.0`. */
export function googlenetVersion(): string {
  return versionIn(new URL("package.json", root));
}

/** The version of a dependency, or null where it isn't there. */
export function dependencyVersion(name: string): string | null {
  try {
    return versionIn(new URL(import.meta.resolve(`${name}/package.json`)));
  } catch {
    return null;
  }
}

/** The project's own picture of a clock. */
export const samplePicture = fileURLToPath(new URL("assets/clock.svg", root));

function versionIn(file: URL): string {
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
