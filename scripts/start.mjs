#!/usr/bin/env node
/** `npm start`: sets everything up, then runs the command line from the sources in this same process. */
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function start() {
  const { report } = await import("./setup/say.mjs");
  try {
    const { ROOT, setUp } = await import("./setup/set-up.mjs");
    await setUp();
    const { register } = await import("tsx/esm/api");
    register({ tsconfig: `${ROOT}tsconfig.json` });
  } catch (error) {
    process.exitCode = report(error);
    return;
  }
  const { main } = await import("../src/cli/main.ts");
  process.exitCode = await main(process.argv.slice(2));
}

if (nodeIsNewEnough()) start();
