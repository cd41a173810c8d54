/**
 * What can go wrong, as one class that every room throws: it knows what it speaks of, what is wrong with
 * it, and how to mend it, so that the command line can print one clear line and a program can branch on `code`, or on
 * the class that each code has.
 */

export type ErrorCode =
  /** The call itself is wrong whatever the files hold: an option out of range, no such blob. */
  | "usage"
  /** A picture that is missing or cannot be decoded. */
  | "picture"
  /** A weights file that is missing, damaged, or does not fit the graph. */
  | "weights"
  /** A model file that is missing, damaged, or made of what is not supported. */
  | "model"
  /** An array (.npy) file or a tensor with the wrong shape, type or contents. */
  | "array"
  /** A GPU buffer of the caller's that is too small, of another device, destroyed, or lacks a usage. */
  | "buffer"
  /** A graph that makes no sense: an op whose attributes and input shapes do not fit together. */
  | "graph"
  /** No adapter, or one that lacks what is asked for. */
  | "adapter"
  /** The device was lost, or was disposed of. */
  | "device-lost"
  /** The device has too little memory or too small limits. */
  | "out-of-memory"
  /** WebGPU refused a shader, a pipeline or a command: a defect of this engine, or of the driver. */
  | "gpu"
  /** A file could not be written (disk full, no permission). */
  | "write"
  /** Labels of pictures, or what an evaluation left behind, that are missing, damaged, or do not fit. */
  | "evaluation"
  /** A download failed. */
  | "download"
  /** A check was made and failed. */
  | "check";

/** What of a network an error concerns, as far as that is known. */
export interface Concern {
  /** The layer, by its name in the graph. */
  readonly layer?: string;
  /** Shapes by what has them: `given` and `expected` of an array, the inputs of a layer by their names. */
  readonly shapes?: Readonly<Record<string, readonly (number | string)[]>>;
}

/**
 * The engine's error. `message` is one line, `SUBJECT: what is wrong; how to mend it`.
 *
 * Every one is of its code's class too, `BufferError` for "buffer" and so on, and bears that name.
 *
 * @example
 * ```ts
 * import { ArrayError, EngineError } from "googlenet-wgsl";
 *
 * const error = new EngineError("array", 'input "data"', "its shape is 3×224×224", "give N×3×224×224");
 * if (error instanceof ArrayError) console.log(error.code, error.message, error.remedy);
 * ```
 */
export class EngineError extends Error implements Concern {
  readonly code: ErrorCode;
  /** What the error is about: a file, a layer, an option, a device. */
  readonly subject: string;
  /** What is wrong with it. */
  readonly problem: string;
  /** How the caller can mend it. */
  readonly remedy: string;
  declare readonly layer?: string;
  declare readonly shapes?: Readonly<Record<string, readonly (number | string)[]>>;

  /**
   * @param subject - what it is about
   * @param problem - what is wrong with that
   * @param remedy - how to mend it
   */
  constructor(
    code: ErrorCode,
    subject: string,
    problem: string,
    remedy: string,
    { cause, ...concern }: ErrorOptions & Concern = {},
  ) {
    super(
      `${subject}: ${problem}; ${remedy}`.replace(/\s*[\n\r\u2028\u2029]\s*/g, " "),
      cause === undefined ? {} : { cause },
    );
    this.code = code;
    this.subject = subject;
    this.problem = problem;
    this.remedy = remedy;
    this.concerning(concern);
    const [kind, name] = kinds[code];
    // Whoever throws says the code alone. The name is written out, as bundlers shorten those of classes.
    Object.setPrototypeOf(this, kind.prototype);
    Object.defineProperty(this, "name", { value: name, configurable: true });
  }

  /** Adds what only the caller of the thrower knows. What is known already stays. */
  concerning({ layer, shapes }: Concern): this {
    if (layer !== undefined && this.layer === undefined) Object.assign(this, { layer });
    if (shapes !== undefined && this.shapes === undefined) Object.assign(this, { shapes });
    return this;
  }
}

/** The call itself is wrong whatever the files hold: an option out of range, no such blob. */
export abstract class UsageError extends EngineError {
  declare readonly code: "usage";
}

/** A picture that is missing or cannot be decoded. */
export abstract class PictureError extends EngineError {
  declare readonly code: "picture";
}

/** Weights that are missing, damaged, or do not fit the graph. */
export abstract class WeightsError extends EngineError {
  declare readonly code: "weights";
}

/** A model file that is missing, damaged, or made of what is not supported. */
export abstract class ModelError extends EngineError {
  declare readonly code: "model";
}

/** An array with the wrong shape, type or contents. */
export abstract class ArrayError extends EngineError {
  declare readonly code: "array";
}

/** A GPU buffer of the caller's that is too small, of another device, destroyed, or lacks a usage. */
export abstract class BufferError extends EngineError {
  declare readonly code: "buffer";
}

/** A graph that makes no sense. */
export abstract class GraphError extends EngineError {
  declare readonly code: "graph";
}

/** No adapter, or one that lacks what is asked for. */
export abstract class AdapterError extends EngineError {
  declare readonly code: "adapter";
}

/** The device was lost, or what ran on it was disposed of. */
export abstract class DeviceLostError extends EngineError {
  declare readonly code: "device-lost";
}

/** The device has too little memory or too small limits. */
export abstract class OutOfMemoryError extends EngineError {
  declare readonly code: "out-of-memory";
}

/** WebGPU refused a shader, a pipeline or a command. */
export abstract class GpuError extends EngineError {
  declare readonly code: "gpu";
}

/** A file could not be written. */
export abstract class WriteError extends EngineError {
  declare readonly code: "write";
}

/** Labels of pictures, or what an evaluation left behind, that are missing, damaged, or do not fit. */
export abstract class EvaluationError extends EngineError {
  declare readonly code: "evaluation";
}

/** A download failed. */
export abstract class DownloadError extends EngineError {
  declare readonly code: "download";
}

/** A check was made and failed. */
export abstract class CheckError extends EngineError {
  declare readonly code: "check";
}

/** Each code's class, and the class's name. */
const kinds = {
  usage: [UsageError, "UsageError"],
  picture: [PictureError, "PictureError"],
  weights: [WeightsError, "WeightsError"],
  model: [ModelError, "ModelError"],
  array: [ArrayError, "ArrayError"],
  buffer: [BufferError, "BufferError"],
  graph: [GraphError, "GraphError"],
  adapter: [AdapterError, "AdapterError"],
  "device-lost": [DeviceLostError, "DeviceLostError"],
  "out-of-memory": [OutOfMemoryError, "OutOfMemoryError"],
  gpu: [GpuError, "GpuError"],
  write: [WriteError, "WriteError"],
  evaluation: [EvaluationError, "EvaluationError"],
  download: [DownloadError, "DownloadError"],
  check: [CheckError, "CheckError"],
} as const satisfies Record<ErrorCode, readonly [abstract new (...parts: never) => EngineError, string]>;
