/** The folder of this user's for what can be had again. */

import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `$XDG_CACHE_HOME/googlenet-wgsl`, or `~/.cache/googlenet-wgsl`. */
export function cacheFolder(env: Environment = process.env): string {
  const cache = env["XDG_CACHE_HOME"];
  return join(cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), ".cache"), "googlenet-wgsl");
}
