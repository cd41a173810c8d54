/** Makes a folder and those it is in. */

import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemErrorCode } from "./system-errors.ts";

/**
 * Makes a folder and those it is in, where they are missing, one by one: by itself (`recursive`) Node 20's mkdir never
 * returns where a folder that exists answers as if it did not, as `/proc` does.
 *
 * @returns the topmost folder that was made; undefined where all were there
 * @throws the system's error
 */
export async function makeFolder(folder: string): Promise<string | undefined> {
  try {
    await mkdir(folder);
    return folder;
  } catch (error) {
    if (await isFolder(folder)) return undefined;
    const parent = dirname(folder);
    if (systemErrorCode(error) !== "ENOENT" || parent === folder) throw error;
    const topmost = await makeFolder(parent);
    try {
      await mkdir(folder);
    } catch (again) {
      // Another process may have made it in between.
      if (!(await isFolder(folder))) throw again;
    }
    return topmost ?? folder;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
