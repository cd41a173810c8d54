#!/usr/bin/env node
/**
 * `npm run test:traps`: plants mistakes that are easily made here into a copy of the code, one at a time, and shows that
 * a test fails on each. Prints which test caught which; ends with status 1 where one survived.
 *
 * A trap is a replacement in one file and the test file that has to fail. What is to be replaced must be there exactly
 * once, so that a trap cannot go stale unnoticed.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What a test run needs of the checkout. */
const COPIED = [
  "assets",
  "kernels",
  "src",
  "test",
  "weights/manifest.json",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
];

/**
 * @typedef {object} Trap
 * @property {string} name what is wrong
 * @property {string} file where it is planted
 * @property {string} find the right code
 * @property {string} plant the wrong code in its place
 * @property {string} test the test file that has to fail
 * @property {number} [occurrence] which of several places, from 0
 */

/** @type {Trap[]} */
const TRAPS = [
  {
    name: "softmax of operator set 12 along one axis",
    file: "src/formats/onnx/operators/arrays.ts",
    find: "trailing: opset < 13, log",
    plant: "trailing: opset < 12, log",
    test: "test/formats/onnx/operators.test.ts",
  },
  {
    name: "the odd pixel of SAME_LOWER behind",
    file: "src/formats/onnx/operators/windows.ts",
    find: 'automatic === "SAME_UPPER"',
    plant: 'automatic !== "VALID"',
    test: "test/formats/onnx/operators.test.ts",
  },
  {
    name: "an ONNX attribute that nobody asked for overlooked",
    file: "src/formats/onnx/layer.ts",
    find: "this.attributes.close(this.opset);",
    plant: "",
    test: "test/formats/onnx/read.test.ts",
  },
  {
    name: "what a slice cuts off a batch taken for as much of every batch",
    file: "src/formats/onnx/read.ts",
    find: "const PROBES = [7, 11, 1, 1_048_583];",
    plant: "const PROBES = [7, 11];",
    test: "test/formats/onnx/read.test.ts",
  },
  {
    name: "a convolution's own bias lost where batch normalisation is folded in",
    file: "src/graph/fold.ts",
    find: "factors[channel] * (before?.[channel] ?? 0) + ",
    plant: "",
    test: "test/formats/caffe/net.test.ts",
  },
  {
    name: "Caffe's batch normalisation without the factor of its moving averages",
    file: "src/formats/caffe/layers.ts",
    find: "const factor = gathered.data[0] === 0 ? 0 : 1 / gathered.data[0];",
    plant: "const factor = 1;",
    test: "test/formats/caffe/net.test.ts",
  },
  {
    name: "data outside the model's folder read",
    file: "src/node/external-files.ts",
    find: "real !== resolve(root, location)",
    plant: "false",
    test: "test/node/model-file.test.ts",
  },
  {
    name: "floor for ceil: the pools' windows",
    file: "src/graph/ops/window.ts",
    find: "const count = Math.ceil(slack) + 1;",
    plant: "const count = Math.floor(slack) + 1;",
    test: "test/graph/window.test.ts",
  },
  {
    name: "floor for ceil: the network's pools",
    file: "src/graph/googlenet.ts",
    find: '{ type: "pool_max", ...squareWindow(kernel, stride, pad), rounding: "ceil" }',
    plant: '{ type: "pool_max", ...squareWindow(kernel, stride, pad), rounding: "floor" }',
    test: "test/graph/googlenet.test.ts",
  },
  {
    name: "α not divided by n: on the GPU",
    file: "src/plan/kernels/lrn.ts",
    find: "alphaOverSize: op.alpha / op.size",
    plant: "alphaOverSize: op.alpha",
    test: "test/kernels/ops.test.ts",
  },
  {
    name: "α not divided by n: in the reference",
    file: "src/cpu/lrn.ts",
    find: "(alpha / size) * squares",
    plant: "alpha * squares",
    test: "test/cpu/lrn.test.ts",
  },
  {
    name: "R, G, B for B, G, R",
    file: "src/image/preprocess.ts",
    find: `    const red = target[i];
    target[i] = target[i + 2 * plane] - meanBlue;
    target[i + plane] = target[i + plane] - meanGreen;
    target[i + 2 * plane] = red - meanRed;`,
    plant: `    target[i] -= meanRed;
    target[i + plane] -= meanGreen;
    target[i + 2 * plane] -= meanBlue;`,
    test: "test/image/preprocess.test.ts",
  },
  {
    name: "3×3 in place of 5×5",
    file: "src/graph/googlenet.ts",
    find: 'conv("5x5", conv("5x5_reduce", input, reduce5x5, 1), conv5x5, 5)',
    plant: 'conv("5x5", conv("5x5_reduce", input, reduce5x5, 1), conv5x5, 3)',
    test: "test/graph/googlenet.test.ts",
  },
  {
    name: "a stray write past a slice: columns of a convolution",
    file: "kernels/conv_direct.wgsl",
    find: "if (x < columnsLeft) {",
    plant: "if (true) {",
    test: "test/kernels/conv.test.ts",
  },
  {
    name: "a stray write past a slice: channels of a convolution",
    file: "kernels/conv_direct.wgsl",
    find: "let channelsLeft = min(TILE_CHANNELS, layer.outChannels - firstChannel);",
    plant: "let channelsLeft = TILE_CHANNELS;",
    test: "test/kernels/conv.test.ts",
  },
  {
    name: "a stray write past a slice: pixels of a product",
    file: "kernels/conv_pointwise.wgsl",
    find: "if (pixel < layer.pixels) {",
    plant: "if (true) {",
    test: "test/kernels/conv.test.ts",
  },
  {
    name: "a stray write past a slice: columns of a blocked product",
    file: "kernels/conv_gemm.wgsl",
    find: "if (column[v] >= columns) {",
    plant: "if (false) {",
    test: "test/kernels/conv.test.ts",
  },
  {
    name: "a stray write past a slice: rows of a Winograd tile",
    file: "kernels/winograd2_output.wgsl",
    find: "if (top + y < layer.height && left + x < layer.width) {",
    plant: "if (left + x < layer.width) {",
    test: "test/kernels/conv.test.ts",
  },
  {
    name: "a stray write past a slice: channels of LRN",
    file: "kernels/lrn.wgsl",
    find: "let end = min(firstChannel + layer.tileChannels, layer.channels);",
    plant: "let end = firstChannel + layer.tileChannels;",
    test: "test/kernels/ops.test.ts",
  },
  {
    name: "a stray write past a slice: threads past the end",
    file: "kernels/relu.wgsl",
    find: "if (thread >= layer.threadCount) {",
    plant: "if (thread > layer.threadCount) {",
    test: "test/kernels/ops.test.ts",
  },
  {
    name: "a stray write past a slice: a concat's slices one channel on",
    file: "src/plan/place.ts",
    find: "offset: start * inner",
    plant: "offset: (start + 1) * inner",
    test: "test/plan/memory.test.ts",
  },
  {
    name: "a stray write past a slice: merged convolutions one channel on",
    file: "src/plan/place.ts",
    find: "offset: channels * pixels",
    plant: "offset: (channels + 1) * pixels",
    test: "test/plan/memory.test.ts",
  },
  {
    name: "a stray write into the input, which shares the output's buffer",
    file: "kernels/relu.wgsl",
    find: "  let image = thread / layer.elements;",
    plant: "  input[0] = 1;\n  let image = thread / layer.elements;",
    test: "test/kernels/ops.test.ts",
  },
  {
    name: "a stray write past scratch memory",
    file: "src/plan/kernels/conv_winograd.ts",
    find: "map((count) => count * tileBytes * mostTiles)",
    plant: "map((count) => count * tileBytes * mostTiles - 16)",
    test: "test/kernels/conv.test.ts",
  },
  {
    name: "a race between lanes that share one place",
    file: "kernels/pool_global_avg.wgsl",
    find: "  sums[lane] = sum;",
    plant: "  sums[lane / 2u] = sum;",
    test: "test/kernels/ops.test.ts",
  },
  {
    name: "a stale buffer: memory given away while it is still read",
    file: "src/plan/arena.ts",
    find: "return a.first <= b.last && b.first <= a.last;",
    plant: "return a.first < b.last && b.first < a.last;",
    test: "test/plan/memory.test.ts",
  },
  {
    name: "a stale buffer: an output given away before the end",
    file: "src/plan/memories.ts",
    find: "for (const id of graph.outputs) touch(id, nodes.length);",
    plant: "",
    test: "test/plan/memory.test.ts",
  },
  {
    name: "a stale buffer: an input not written again",
    file: "src/webgpu/program.ts",
    find: `    for (const id of this.plan.inputs) {
      const data`,
    plant: `    if (Reflect.get(this, "written")) return;
    Reflect.set(this, "written", true);
    for (const id of this.plan.inputs) {
      const data`,
    test: "test/webgpu/session.test.ts",
  },
  {
    name: "a stale buffer: a blob read back after its memory was reused",
    file: "src/webgpu/program.ts",
    find: "(outputs.includes(tap.id) ? last : tap.value.readyAfter)",
    plant: "last",
    test: "test/webgpu/graphs.test.ts",
  },
  {
    name: "a stale buffer: a batch answered with the one before",
    file: "src/webgpu/batches.ts",
    find: "data.subarray(start * image, (start + count) * image)",
    plant: "data.subarray(0, count * image)",
    test: "test/webgpu/session.test.ts",
  },
  {
    name: "a slice of a concat read as if it were one piece",
    file: "src/plan/place.ts",
    find: "findScattered(nodes, places, shapes, slices) ?? ",
    plant: "",
    test: "test/plan/memory.test.ts",
  },
  {
    name: "two operands in one range bound at once",
    file: "src/plan/kernels/operands.ts",
    find: "if (left.slot !== right.slot) return",
    plant: "if (left.slot !== Infinity) return",
    test: "test/plan/memory.test.ts",
  },
  {
    name: "a batch cut though its images are mixed",
    file: "src/plan/images.ts",
    find: "return !isFirst(op.axis);",
    plant: "return true;",
    test: "test/plan/images.test.ts",
  },
  {
    name: "an input that is no batch cut like one",
    file: "src/webgpu/batches.ts",
    find: "count === images ? data : ",
    plant: "",
    test: "test/webgpu/inputs.test.ts",
  },
  {
    name: "axes walked as one that lie apart",
    file: "src/plan/axes.ts",
    find: "step * inner.extent === steps[value]",
    plant: "step * inner.extent <= steps[value]",
    test: "test/kernels/ops.test.ts",
  },
  {
    name: "an end before the front taken for the last index",
    file: "src/graph/ops/slice.ts",
    find: "step > 0 ? [0, extent] : [-1, extent - 1]",
    plant: "step > 0 ? [0, extent] : [0, extent - 1]",
    test: "test/graph/ops.test.ts",
  },
  {
    name: "R,G,B for B,G,R: crops on the GPU",
    file: "kernels/crop.wgsl",
    find: "output[start] = Element(color.b - layer.meanBlue);",
    plant: "output[start] = Element(color.r - layer.meanBlue);",
    test: "test/kernels/crop.test.ts",
  },
  {
    name: "a crop that is not mirrored",
    file: "kernels/crop.wgsl",
    find: "crop.mirrored != 0u",
    plant: "false",
    test: "test/kernels/crop.test.ts",
  },
  {
    name: "a square cut from the picture before it is resized",
    file: "src/image/crops.ts",
    find: "resample(image, { size: resize, window: rectangle }, planes);",
    plant: "resample(image, { size: rectangle, window: { ...rectangle, x: 0, y: 0 } }, planes);",
    test: "test/image/crops.test.ts",
  },
  ...barriers(),
];

/** Each barrier of each kernel, left out: a race. @returns {Trap[]} */
function barriers() {
  return readdirSync(join(ROOT, "kernels")).flatMap((file) => {
    const find = "workgroupBarrier();";
    const count = readFileSync(join(ROOT, "kernels", file), "utf8").split(find).length - 1;
    return Array.from({ length: count }, (_, occurrence) => ({
      name: `a race: ${file} without its barrier ${occurrence + 1} of ${count}`,
      file: `kernels/${file}`,
      find,
      plant: "",
      occurrence,
      test: "test/kernels/races.test.ts",
    }));
  });
}

/** The text with the trap in it. @param {Trap} trap @param {string} text */
function planted({ name, file, find, plant, occurrence }, text) {
  const pieces = text.split(find);
  if (pieces.length < 2 || (occurrence === undefined && pieces.length > 2)) {
    throw new Error(`trap "${name}": ${file} holds ${pieces.length - 1} times what it replaces; mend the trap`);
  }
  const at = (occurrence ?? 0) + 1;
  return pieces.slice(0, at).join(find) + plant + pieces.slice(at).join(find);
}

/**
 * Runs one test file and tells which test failed first, or nothing where all passed.
 * @param {string} folder @param {string} test
 * @returns {Promise<string | undefined>}
 */
async function firstFailure(folder, test) {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const report = join(folder, "report.json");
  rmSync(report, { force: true });
  const args = [vitest, "run", test, "--root", folder, "--bail=1", "--reporter=json", `--outputFile=${report}`];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: "ignore" });
  const status = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const { numTotalTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  for (const { assertionResults, message } of testResults) {
    const failed = assertionResults.find((/** @type {{ status: string }} */ result) => result.status === "failed");
    if (failed) return failed.fullName;
    if (assertionResults.length === 0) return message || "the file does not load";
  }
  if (status === 0 && numTotalTests > 0) return undefined;
  throw new Error(`${test} ended with status ${status} and no failed test`);
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "googlenet-traps-"));
  try {
    for (const path of COPIED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));

    // A test that fails without any trap catches nothing.
    for (const test of new Set(TRAPS.map((trap) => trap.test))) {
      const failure = await firstFailure(folder, test);
      if (failure !== undefined) throw new Error(`without a trap, ${test} fails: ${failure}`);
      console.log(`passes  ${test}`);
    }

    let survivors = 0;
    const width = Math.max(...TRAPS.map(({ name }) => name.length));
    for (const trap of TRAPS) {
      const path = join(folder, trap.file);
      const right = readFileSync(path, "utf8");
      writeFileSync(path, planted(trap, right));
      const failure = await firstFailure(folder, trap.test);
      writeFileSync(path, right);
      if (failure === undefined) survivors++;
      const caughtBy = failure === undefined ? "no test failed" : `${trap.test} > ${failure}`;
      console.log(`${failure === undefined ? "SURVIVED" : "caught  "}  ${trap.name.padEnd(width)}  ${caughtBy}`);
    }
    console.log(`${TRAPS.length - survivors} of ${TRAPS.length} traps caught`);
    process.exitCode = survivors === 0 ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
