/** The command behind `npm run web`: builds the page and serves it until it is told to stop. */

import path from "node:path";
import { parseArgs } from "node:util";
import { EngineError } from "../../src/errors.ts";
import { errorLine, statusOf } from "../../src/cli/report.ts";
import { googLeNet } from "../../src/graph/googlenet.ts";
import { inferShapesForBatch } from "../../src/graph/graph.ts";
import { loadWeights } from "../../src/node/weights-file.ts";
import { findWeights } from "../../src/node/weights-manifest.ts";
import { isSeedSource, parseSeed } from "../../src/weights/seed.ts";
import { bundlePage } from "./bundle.mjs";
import { servePage } from "./serve.ts";

const HELP = `Usage: npm run web -- [options]

Builds the page and serves it on this machine: labels pictures in the browser, and shows what the network sees.

Options:
  --port <N>                port to serve at; 0 for a free one (default: 8020)
  --host <NAME>             address to serve at; browsers give WebGPU to localhost and to https alone
                            (default: localhost)
  --weights <FILE|seed:N>   trained weights for the page, or made-up ones (default: $GOOGLENET_WEIGHTS, else the
                            downloaded file, else the page asks for a file)
  --help                    show this

Example:
  npm run web -- --port 9000 --weights bvlc_googlenet.caffemodel`;

const DEFAULT_PORT = 8020;

/**
 * @param root the checkout
 * @param folder where the page is built
 * @returns the exit status, once it was told to stop
 */
export async function main(
  argv: readonly string[],
  root: string,
  folder = path.join(root, "dist", "web"),
): Promise<number> {
  try {
    const { port, host, weights, help } = readOptions(argv);
    if (help) {
      console.log(HELP);
      return 0;
    }
    const choice = await findWeights(weights);
    // Before anything is built: whoever opens the page should not be the first to hear of it.
    if (choice) await checkServed(choice.source);
    const files = await bundlePage(root, folder);
    const kilobytes = (of: "bytes" | "gzipBytes") => Math.round(files.reduce((sum, file) => sum + file[of], 0) / 1000);
    console.error(
      `built ${path.relative(process.cwd(), folder)}: ${kilobytes("bytes")} kB, ${kilobytes("gzipBytes")} kB compressed`,
    );
    console.error(
      choice ? `weights: ${choice.source}` : "weights: none; the page asks for a file (get one with: weights fetch)",
    );
    await using site = await servePage({ folder, choice, port, host });
    console.log(site.origin);
    await new Promise((resolve) => {
      process.once("SIGINT", resolve);
      process.once("SIGTERM", resolve);
    });
    return 0;
  } catch (error) {
    console.error(errorLine(error));
    return statusOf(error);
  }
}

/** @throws EngineError "weights" for a file that the page could not use, "usage" for a wrong seed */
async function checkServed(source: string): Promise<void> {
  if (isSeedSource(source)) parseSeed(source);
  else await loadWeights(source, inferShapesForBatch(googLeNet(), 1).parameters);
}

interface Options {
  readonly port: number;
  readonly host: string;
  readonly weights: string | undefined;
  readonly help: boolean;
}

function readOptions(argv: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: "string" },
        host: { type: "string" },
        weights: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    const { port, host = "localhost", weights, help = false } = values;
    return { port: readPort(port), host, weights, help };
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const [problem] = (error instanceof Error ? error.message : String(error)).split(/\. |\.?\n/);
    throw new EngineError("usage", "command line", problem, "--help shows what there is", { cause: error });
  }
}

function readPort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new EngineError("usage", "--port", `${JSON.stringify(text)} is no port`, "give a whole number from 0 to 65535");
}
