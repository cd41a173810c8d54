#!/usr/bin/env node
/**
 * `npm run test:memory`: whether classifying many pictures takes more memory than classifying some. One process
 * classifies a folder of small generated pictures; its resident memory after many of them may exceed that after few by a
 * given share only.
 */
import { fork } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";

const USAGE = `usage: npm run test:memory -- [--engine webgpu|cpu|stub] [--few 1000] [--many 10000] [--limit PERCENT]
  --engine  what computes (default webgpu); stub: no network, only pictures read, decoded, batched and printed
  --limit   by how much the second may exceed the first (default 5)`;

const ENGINES = ["webgpu", "cpu", "stub"];
/** Sides and formats of the pictures that all others are links to. */
const DISTINCT = /** @type {const} */ ([
  [256, "jpeg"],
  [200, "png"],
  [180, "webp"],
  [224, "jpeg"],
]);

/** @returns {{ engine: string, few: number, many: number, limit: number } | null} null where they make no sense */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        engine: { type: "string", default: "webgpu" },
        few: { type: "string", default: "1000" },
        many: { type: "string", default: "10000" },
        limit: { type: "string", default: "5" },
      },
    });
    const [few, many, limit] = [Number(values.few), Number(values.many), Number(values.limit)];
    const sensible = Number.isInteger(few) && Number.isInteger(many) && few > 0 && few < many && limit > 0;
    return sensible && ENGINES.includes(values.engine) ? { engine: values.engine, few, many, limit } : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} folder
 * @param {number} count
 */
async function fill(folder, count) {
  const originals = await Promise.all(
    DISTINCT.map(async ([side, format]) => {
      const file = path.join(folder, `${side}.${format}`);
      const noise = { type: /** @type {const} */ ("gaussian"), mean: 128, sigma: 40 };
      await sharp({ create: { width: side, height: side, channels: 3, background: "#888", noise } }).toFile(file);
      return file;
    }),
  );
  const links = path.join(folder, "pictures");
  mkdirSync(links);
  for (let index = 0; index < count; index++) {
    const original = originals[index % originals.length] ?? "";
    linkSync(original, path.join(links, `${index}${path.extname(original)}`));
  }
  return links;
}

/**
 * @param {string} folder
 * @param {string} engine
 * @param {readonly number[]} counts
 * @returns {Promise<number[]>} bytes of resident memory at each count of pictures
 */
function measure(folder, engine, counts) {
  const script = fileURLToPath(new URL("memory/stream.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    /** @type {number[]} */
    const bytes = [];
    const child = fork(script, [folder, engine, ...counts.map(String)], {
      execArgv: ["--import", import.meta.resolve("tsx")],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    child.on("message", (/** @type {{ bytes: number }} */ message) => bytes.push(message.bytes));
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status === 0 && bytes.length === counts.length) resolve(bytes);
      else reject(new Error(`the classifying process ended with ${status ?? signal}`));
    });
  });
}

/** @param {NonNullable<ReturnType<typeof readOptions>>} options */
async function compare({ engine, few, many, limit }) {
  const folder = mkdtempSync(path.join(tmpdir(), "googlenet-memory-"));
  try {
    const pictures = await fill(folder, many);
    const [before = NaN, after = NaN] = await measure(pictures, engine, [few, many]);
    const percent = (100 * (after - before)) / before;
    console.log(`${few} pictures: ${(before / 1e6).toFixed(1)} MB`);
    console.log(`${many} pictures: ${(after / 1e6).toFixed(1)} MB`);
    console.log(`difference: ${percent.toFixed(1)} % (${engine}; at most ${limit} %)`);
    return percent <= limit ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const options = readOptions();
if (options === null) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  process.exitCode = await compare(options);
}
