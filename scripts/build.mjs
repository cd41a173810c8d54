#!/usr/bin/env node
/** `npm run build`: installs the dependencies where they are missing, then compiles into dist/. */
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function build() {
  const { report } = await import("./setup/say.mjs");
  try {
    const { ensureDependencies, ROOT } = await import("./setup/set-up.mjs");
    await ensureDependencies();
    const { compile } = await import("./compile.mjs");
    await compile(ROOT);
  } catch (error) {
    process.exitCode = report(error);
  }
}

if (nodeIsNewEnough()) build();
