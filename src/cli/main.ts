#!/usr/bin/env node
/** The command line: `googlenet COMMAND …`. */

import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { parse } from "./program.ts";
import { errorLine, Interrupted, interruptions, isSilent, statusOf } from "./report.ts";
import { Terminal } from "./terminal.ts";

/**
 * Runs a command and resolves to its exit status.
 *
 * @param argv the arguments, without Node and the script; none runs the demo
 */
export async function main(argv: readonly string[]): Promise<number> {
  // Whether the output is JSON and whether notes are wanted matters before the options are read, too.
  const terminal = new Terminal({ json: argv.includes("--json"), quiet: argv.includes("--quiet") });
  const interruption = new AbortController();
  const signals = Object.keys(interruptions) as (keyof typeof interruptions)[];
  const stopListening = () => signals.forEach((signal) => process.off(signal, interrupt));
  const interrupt = (signal: keyof typeof interruptions) => {
    // Whoever asks again does not want to wait until everything is let go of.
    stopListening();
    interruption.abort(new Interrupted(signal));
  };
  for (const signal of signals) process.on(signal, interrupt);
  // Failures of writing are told to whoever writes; without a listener they would end the process as well.
  const ignore = () => undefined;
  process.stdout.on("error", ignore);
  process.stderr.on("error", ignore);
  try {
    enterCallersFolder();
    return await parse(argv, { terminal, signal: interruption.signal });
  } catch (error) {
    if (isSilent(error)) return statusOf(error);
    terminal.complain(errorLine(error));
    return statusOf(error);
  } finally {
    terminal.close();
    stopListening();
  }
}

/** npm runs scripts in the package's folder and says where it was called. */
function enterCallersFolder(): void {
  const folder = process.env["INIT_CWD"];
  if (folder === undefined || folder === "") return;
  try {
    process.chdir(folder);
  } catch {
    // It has been removed since: absolute paths still work.
  }
}

/** Whether this file is what Node was started with, through npm's link to it or by itself. */
function isStarted(): boolean {
  const [, script] = process.argv;
  try {
    return script !== undefined && pathToFileURL(realpathSync(script)).href === import.meta.url;
  } catch {
    return false;
  }
}

if (isStarted()) process.exitCode = await main(process.argv.slice(2));
