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
  /** An array (.npy) file or a tensor with the wrong shape, type or contents. */
  | "array"
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

/**
 * The engine's error. `message` is one line, `SUBJECT: what is wrong; how to mend it`.
 */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: ErrorCode;
  /** What the error is about: a file, a layer, an option, a device. */
  readonly subject: string;
  /** How the caller can mend it. */
  readonly remedy: string;

  constructor(code: ErrorCode, subject: string, problem: string, remedy: string, options?: ErrorOptions) {
    super(`${subject}: ${problem}; ${remedy}`.replace(/\s*\n\s*/g, " "), options);
    this.code = code;
    this.subject = subject;
    this.remedy = remedy;
  }
}
