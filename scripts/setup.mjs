#!/usr/bin/env node
/** Set-up alone: `npm start` and `npm test` do it by themselves. */
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function run() {
  const { report, say } = await import("./setup/say.mjs");
  try {
    const { setUp } = await import("./setup/set-up.mjs");
    await setUp();
    say("done");
  } catch (error) {
    process.exitCode = report(error);
  }
}

if (nodeIsNewEnough()) run();
