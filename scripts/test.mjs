#!/usr/bin/env node
/** `npm test`: sets everything up, then runs vitest with whatever arguments follow, and ends with its status. */
import { spawn } from "node:child_process";
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function test() {
  const { report } = await import("./setup/say.mjs");
  try {
    const { ensureBrowser, ROOT, setUp } = await import("./setup/set-up.mjs");
    const { forwardSignals } = await import("./setup/command.mjs");
    await setUp();
    await ensureBrowser();
    const vitest = [`${ROOT}node_modules/vitest/vitest.mjs`, "run", "--root", ROOT, ...process.argv.slice(2)];
    const child = spawn(process.execPath, vitest, { stdio: "inherit" });
    forwardSignals(child);
    process.exitCode = await new Promise((resolve, reject) => {
      child.on("error", reject);
      // A signal that killed it is a failure like any other.
      child.on("close", (status) => resolve(status === null ? 1 : status));
    });
  } catch (error) {
    process.exitCode = report(error);
  }
}

if (nodeIsNewEnough()) test();
