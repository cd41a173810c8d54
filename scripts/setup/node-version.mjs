/**
 * The first thing every script does: is this Node new enough? Written in syntax that old releases parse
 * too, and imported before anything else, so that an old Node says one clear line rather than a syntax error.
 */

/** The oldest Node.js that is tested; package.json's `engines` says the same (a test holds them together). */
export const MINIMUM_NODE = "20.19.0";

/**
 * @param {string} version a version like `20.19.0`
 * @returns {string | null} what is wrong and how to mend it, or null where the version will do
 */
export function nodeVersionProblem(version) {
  const found = version.split(".").map(Number);
  const wanted = MINIMUM_NODE.split(".").map(Number);
  for (let i = 0; i < wanted.length; i++) {
    if (found[i] > wanted[i]) return null;
    if (found[i] < wanted[i]) {
      return "Node.js " + version + ": too old; install Node.js " + MINIMUM_NODE + " or newer (https://nodejs.org)";
    }
  }
  return null;
}

/**
 * Says what is wrong, in one line, where this Node is too old, and sets exit status 1.
 *
 * @returns {boolean} whether to go on
 */
export function nodeIsNewEnough() {
  const problem = nodeVersionProblem(process.versions.node);
  if (problem === null) return true;
  console.error("googlenet: " + problem);
  process.exitCode = 1;
  return false;
}
