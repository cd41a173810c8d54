/**
 * What can go wrong, as one class that every room throws: it knows what it speaks of, what is wrong with
 * it, and how to mend it, so that the command line can print one clear line and a program can branch on `code`.
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
 * @example
 * ```ts
 * import { EngineError } from "googlenet-wgsl";
 *
 * const error = new EngineError("array", 'input "data"', "its shape is 3×224×224", "give N×3×224×224");
 * if (error.code === "array") console.log(error.message, error.remedy);
 * ```
 */
export class EngineError extends Error implements Concern {
  override readonly name = "EngineError";
  readonly code: ErrorCode;
  /** What the error is about: a file, a layer, an option, a device. */
  readonly subject: string;
  /** How the caller can mend it. */
  readonly remedy: string;
  declare readonly layer?: string;
  declare readonly shapes?: Readonly<Record<string, readonly (number | string)[]>>;

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
    this.remedy = remedy;
    this.concerning(concern);
  }

  /** Adds what only the caller of the thrower knows. What is known already stays. */
  concerning({ layer, shapes }: Concern): this {
    if (layer !== undefined && this.layer === undefined) Object.assign(this, { layer });
    if (shapes !== undefined && this.shapes === undefined) Object.assign(this, { shapes });
    return this;
  }
}
