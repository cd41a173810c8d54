#!/usr/bin/env node
/** `npm run build`: the sources as JavaScript with types in dist/, the command made executable. */
import { spawn } from "node:child_process";
import { nodeIsNewEnough } from "./setup/node-version.mjs";

async function build() {
  const { report, SetUpError } = await import("./setup/say.mjs");
  try {
    const { chmodSync, readFileSync, rmSync, writeFileSync } = await import("node:fs");
    const { ensureDependencies, ROOT } = await import("./setup/set-up.mjs");
    await ensureDependencies();
    // A file that the sources no longer have must not stay in the package.
    rmSync(`${ROOT}dist`, { recursive: true, force: true });
    const status = await new Promise((resolve, reject) => {
      const compiler = [`${ROOT}node_modules/typescript/bin/tsc`, "-p", `${ROOT}tsconfig.build.json`];
      const child = spawn(process.execPath, compiler, { stdio: ["ignore", "inherit", "inherit"] });
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (status !== 0) throw new SetUpError("build: the sources do not compile; see the errors above");
    const command = `${ROOT}dist/cli/main.js`;
    const text = readFileSync(command, "utf8");
    if (!text.startsWith("#!")) writeFileSync(command, `#!/usr/bin/env node\n${text}`);
    chmodSync(command, 0o755);
  } catch (error) {
    process.exitCode = report(error);
  }
}

if (nodeIsNewEnough()) build();
