#!/usr/bin/env node
/** `npm run web`: installs the dependencies where they are missing, then builds the page and serves it. */
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function web() {
  const { report } = await import("./setup/say.mjs");
  const { ensureDependencies, ROOT } = await import("./setup/set-up.mjs");
  try {
    await ensureDependencies();
    const { register } = await import("tsx/esm/api");
    register({ tsconfig: `${ROOT}tsconfig.json` });
  } catch (error) {
    process.exitCode = report(error);
    return;
  }
  const { main } = await import("./web/main.ts");
  process.exitCode = await main(process.argv.slice(2), ROOT);
}

if (nodeIsNewEnough()) web();
