/** The browser that tests drive: one of the user's own choice, else the Chromium or Chrome on the PATH. */
import { accessSync, constants } from "node:fs";
import path from "node:path";

/** A browser of one's own choice goes before those on the PATH. */
export const BROWSER_CHOICE = "GOOGLENET_CHROMIUM";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** @returns {string | undefined} the program */
export function findBrowser() {
  const choice = process.env[BROWSER_CHOICE];
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const known = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name)));
  return [...(choice ? [choice] : []), ...known].find(isExecutable);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
