/** ONNX Runtime's Node.js binding, on its WebGPU or its CPU provider, as the bench's workers run it. */

import { createRequire } from "node:module";
import { InferenceSession, Tensor } from "onnxruntime-node";

/**
 * Settings: `provider` (webgpu, cpu); `lrn` (node: ONNX's LRN, which the WebGPU provider leaves to the CPU; spelled:
 * its definition in other nodes, all on the GPU); `preferredLayout` and `graphCapture`, as the provider names them.
 *
 * @param {import("../../src/bench/job.ts").Job} job
 * @returns {Promise<import("../../src/bench/job.ts").OpenEngine>}
 */
export async function open({ settings, batch, unsafe, files }) {
  const onGpu = settings["provider"] === "webgpu";
  const session = await InferenceSession.create(settings["lrn"] === "spelled" ? files.onnx.spelled : files.onnx.node, {
    executionProviders: [onGpu ? webgpuProvider(settings, unsafe) : "cpu"],
    graphOptimizationLevel: "all",
    // Warnings of nodes on the CPU are known; what fails is thrown.
    logSeverityLevel: 3,
    ...(settings["graphCapture"] === true
      ? { extra: { ep: { webgpuexecutionprovider: { enableGraphCapture: "1" } } } }
      : {}),
  });
  const versions = { "onnxruntime-node": createRequire(import.meta.url)("onnxruntime-node/package.json").version };
  return {
    // The provider takes the system's first high-performance adapter and does not say which that is.
    adapter: null,
    versions,
    prepare: (data) => new Tensor("float32", data, [batch, 3, 224, 224]),
    async run(input) {
      const { prob } = await session.run({ data: /** @type {Tensor} */ (input) });
      return /** @type {Float32Array} */ (prob.data);
    },
    close: () => undefined,
  };
}

/**
 * @param {import("../../src/bench/job.ts").Settings} settings
 * @param {boolean} unsafe
 * @returns {import("onnxruntime-node").InferenceSession.WebGpuExecutionProviderOption}
 */
function webgpuProvider(settings, unsafe) {
  return {
    name: "webgpu",
    preferredLayout: settings["preferredLayout"] === "NHWC" ? "NHWC" : "NCHW",
    // Dawn's own validation, as for the others. Bounds checks in shaders are off either way: its release default.
    validationMode: unsafe ? "disabled" : "wgpuOnly",
  };
}
