/**
 * The network in the worker: one session that labels, fused as everywhere, and, once a blob is wanted that it doesn't
 * keep, another that keeps every blob.
 */

import { EngineError } from "../errors.ts";
import { googLeNet } from "../graph/googlenet.ts";
import type { ValueId } from "../graph/graph.ts";
import { elementCount, type Tensor } from "../graph/tensor.ts";
import type { Weights } from "../graph/weights.ts";
import { INPUT_SIDE, preprocess } from "../image/preprocess.ts";
import type { RgbImage } from "../image/resize.ts";
import { kernels } from "../kernels.ts";
import type { CompileProgress } from "../webgpu/program.ts";
import { Session } from "../webgpu/session.ts";
import type { Gpu } from "./gpu.ts";
import { runTimed, type TimedRun } from "./timed-run.ts";

export type Heads = "main" | "all";

const INPUT_SHAPE = [1, 3, INPUT_SIDE, INPUT_SIDE] as const;

export interface Labelling extends Omit<TimedRun, "blobs"> {
  readonly probabilities: Float32Array;
  readonly blob?: Tensor;
}

export class Engine {
  private readonly gpu: Gpu;
  private weights: Weights | undefined;
  private heads: Heads = "main";
  private labeller: Session | undefined;
  /** Keeps every blob, those of the auxiliary heads too where the weights have them. */
  private inspector: Promise<Session> | undefined;
  private input: Tensor | undefined;

  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  /** Runs on these weights from now on; where that fails, on those before. */
  async use(weights: Weights, heads: Heads, onProgress: CompileProgress): Promise<void> {
    const { device } = this.gpu;
    const labeller = await Session.create(googLeNet(), weights, { device, kernels, onProgress });
    this.dispose();
    Object.assign(this, { weights, heads, labeller });
  }

  /**
   * Labels a picture, or the last one again.
   *
   * @param blob another blob to read in the same run, if the session that labels keeps it
   */
  async classify(picture?: RgbImage, blob?: ValueId): Promise<Labelling> {
    const labeller = this.ready();
    if (picture) {
      const data = new Float32Array(elementCount(INPUT_SHAPE));
      preprocess(picture, "squash256", data);
      this.input = { shape: INPUT_SHAPE, data };
    }
    const [output] = labeller.outputNames;
    const wanted = new Set([output, ...(blob !== undefined && (await keeps(labeller, blob)) ? [blob] : [])]);
    const { blobs, milliseconds, clock } = await runTimed(labeller, this.pictured(), [...wanted]);
    const read = blob === undefined ? undefined : blobs.get(blob);
    return { probabilities: blobs.get(output)!.data, milliseconds, clock, ...(read ? { blob: read } : {}) };
  }

  /** A blob of the last picture, by its name in the graph. */
  async blob(name: string): Promise<Tensor> {
    const labeller = this.ready();
    const [{ name: input }] = labeller.graph.inputs;
    const picture = this.pictured();
    if (name === input) return picture;
    const session = (await keeps(labeller, name)) ? labeller : await this.inspecting();
    const { [name]: blob } = await session.run({ [input]: picture }, { outputs: [name] });
    return blob;
  }

  dispose(): void {
    this.labeller?.dispose();
    this.labeller = undefined;
    const { inspector } = this;
    this.inspector = undefined;
    inspector?.then(
      (session) => session.dispose(),
      // It has nothing; whoever asked for it heard why.
      () => undefined,
    );
  }

  private inspecting(): Promise<Session> {
    const { device } = this.gpu;
    const graph = googLeNet({ heads: this.heads });
    this.inspector ??= Session.create(graph, this.weights!, { device, kernels, fuse: false }).catch(
      (error: unknown) => {
        this.inspector = undefined;
        throw error;
      },
    );
    return this.inspector;
  }

  private ready(): Session {
    if (this.labeller) return this.labeller;
    throw new EngineError("weights", "weights", "there are none yet", "wait until they are loaded, or choose a file");
  }

  private pictured(): Tensor {
    if (this.input) return this.input;
    throw new EngineError("picture", "picture", "there is none yet", "choose one first");
  }
}

/** Whether a session's plan leaves a blob in memory at some time. */
async function keeps(session: Session, blob: ValueId): Promise<boolean> {
  return Object.hasOwn((await session.plan(1)).values, blob);
}
