#!/usr/bin/env node
/**
 * Stands in for `googlenet evaluate`: takes its parts, keeps its state, ends with its exit statuses; "classifying" is
 * waiting. A picture called `broken…` can't be read.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";

const argv = process.argv.slice(2);
if (argv.shift() !== "evaluate") process.exit(2);
/** @param {string} name */
const valueOf = (name) => argv[argv.indexOf(name) + 1];
/** @param {{ images?: number, image?: string, unreadable?: number, argv?: string[] }} value */
const say = (value) => console.log(argv.includes("--json") ? JSON.stringify(value) : `pictures: ${value.images}`);
/** @param {string} file */
const linesOf = (file) => (existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : []);
process.on("SIGTERM", () => process.exit(143));

let pictures;
if (argv.includes("--merge")) {
  const html = argv.includes("--html") ? valueOf("--html") : undefined;
  if (html !== undefined && !process.env.STUB_NO_PAGE) appendFileSync(html, "a page\n");
  // The whole, as it was printed.
  const whole = argv.find((each) => each.endsWith("whole.json"));
  if (whole && process.env.STUB_FAILS) process.exit(1);
  const printed = whole ? linesOf(whole).map((line) => JSON.parse(line).image) : [];
  const states = argv.filter((each) => each.endsWith(".state"));
  if (!states.every((file) => linesOf(file).at(-1) === "whole")) process.exit(1);
  pictures = [...printed.filter(Boolean), ...states.flatMap((file) => linesOf(file).slice(0, -1))].sort();
} else {
  const [index, of] = valueOf("--shard").split("/").map(Number);
  const state = valueOf("--state");
  if (!(index >= 1 && index <= of)) process.exit(2);
  pictures = readdirSync(argv[0])
    .sort()
    .filter((_, number) => number % of === index - 1);
  for (const picture of pictures.slice(linesOf(state).length)) {
    await new Promise((resolve) => setTimeout(resolve, Number(process.env.STUB_MS)));
    appendFileSync(state, `${picture}\n`);
  }
  if (linesOf(state).at(-1) !== "whole") appendFileSync(state, "whole\n");
  if (process.env.STUB_FAILS) process.exit(1);
}
const unreadable = pictures.filter((name) => name.startsWith("broken")).length;
if (argv.includes("--json")) for (const image of pictures) say({ image });
say({ images: pictures.length, unreadable, argv });
process.exit(unreadable > 0 && !argv.includes("--skip-unreadable") ? 1 : 0);
