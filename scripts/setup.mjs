#!/usr/bin/env node
/** Set-up alone: `npm start` and `npm test` do it by themselves. With --browser the tests' browser, too. */
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function run() {
  const { report, say } = await import("./setup/say.mjs");
  try {
    const { ensureBrowser, setUp } = await import("./setup/set-up.mjs");
    await setUp();
    if (process.argv.includes("--browser")) await ensureBrowser();
    say("done");
  } catch (error) {
    process.exitCode = report(error);
  }
}

if (nodeIsNewEnough()) run();
