/** Classes and their names, and the most probable of them. */

import { EngineError } from "../errors.ts";
import { IMAGENET_LABELS, type Label } from "./imagenet.ts";

/**
 * The label of a class, 0-based.
 * @throws EngineError `usage` where there is no such class.
 */
export function labelOf(classIndex: number, labels: readonly Label[] = IMAGENET_LABELS): Label {
  const label = labels[classIndex];
  if (label === undefined) {
    throw new EngineError("usage", `class ${classIndex}`, "there is no such class", `give 0 to ${labels.length - 1}`);
  }
  return label;
}

/**
 * Reads a label file: a class a line in the network's order, `id name`, the name being the rest of the line. Every
 * line counts as a class, so a blank one within the file is an error; so is an id that is given twice.
 * @param subject what errors call the file.
 * @param expected how many classes there must be, where that is known.
 * @throws EngineError `array` that names the line.
 */
export function parseLabels(text: string, subject: string, expected?: number): Label[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const refuse = (problem: string): never => {
    throw new EngineError("array", subject, problem, "give a class a line: its id, a space, its name");
  };
  const lineOf = new Map<string, number>();
  const labels = lines.map((line, index) => {
    const [, id, name] = /^(\S+)[ \t]+(\S.*)$/u.exec(line.trimEnd()) ?? [];
    if (id === undefined || name === undefined) {
      return refuse(`line ${index + 1} is not \`id name\``);
    }
    // eslint-disable-next-line no-control-regex -- the very characters that would upset a terminal
    if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\uFFFD]/u.test(line)) {
      return refuse(`line ${index + 1} holds characters that are not text`);
    }
    const earlier = lineOf.get(id);
    if (earlier !== undefined) return refuse(`line ${index + 1} gives the id ${id} again, after line ${earlier}`);
    lineOf.set(id, index + 1);
    return { id, name };
  });
  if (labels.length === 0) refuse("there is no class in it");
  if (expected !== undefined && labels.length !== expected) {
    refuse(`it has ${labels.length} classes where the network has ${expected}`);
  }
  return labels;
}

/** A class, 0-based, and its probability. */
export interface Ranked {
  readonly class: number;
  readonly probability: number;
}

/**
 * The `k` most probable classes, most probable first; of equal ones the lower class first. All of them where there
 * are fewer than `k`.
 * @param probabilities of one picture, a class an element.
 * @throws EngineError `usage` where k is not a whole number from 1 on; `check` where a probability is not finite.
 */
export function topK(probabilities: ArrayLike<number>, k: number): Ranked[] {
  if (!Number.isInteger(k) || k < 1) {
    throw new EngineError("usage", "top", `${k} is not a number of classes`, "give a whole number from 1 on");
  }
  const ranked = Array.from(probabilities, (probability, index) => {
    if (!Number.isFinite(probability)) {
      throw new EngineError(
        "check",
        `class ${index}`,
        `its probability is ${probability}`,
        "check the weights, and the device with `verify`",
      );
    }
    return { class: index, probability };
  });
  return ranked.sort((a, b) => b.probability - a.probability || a.class - b.class).slice(0, k);
}
