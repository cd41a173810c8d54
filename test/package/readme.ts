/** The programs and figures that README.md shows. */

import { readFileSync } from "node:fs";
import path from "node:path";
import { REPOSITORY } from "./installed.ts";

export const readme = readFileSync(path.join(REPOSITORY, "README.md"), "utf8");

/** Every JavaScript program, as it stands. */
export const programs = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, program]) => program);

/** Whether a program needs Node.js; the others are for pages and workers. */
export function needsNode(program: string): boolean {
  return program.includes('"googlenet-wgsl/node"');
}

/** The only program that is for pages. */
export function pageProgram(): string {
  const [program, ...others] = programs.filter((each) => !needsNode(each));
  if (program === undefined || others.length > 0) throw new Error("README.md should have one program for pages");
  return program;
}
