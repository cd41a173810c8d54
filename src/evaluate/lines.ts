/**
 * An evaluation as JSON lines: what a state file holds and what the command prints with `--json`. Both have an object a
 * picture and one with the `run`; a state file has that first, and notes beside pictures what the time was spent on.
 */

import { EngineError } from "../errors.ts";
import { adapterOf, allOf } from "./computed-by.ts";
import type { ComputedBy, EvaluatedPicture, Evaluation, EvaluationRun, Shard } from "./record.ts";
import type { LabelledPicture } from "./pictures.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What is known once the whole text was read. */
interface Collected {
  run?: EvaluationRun;
  shard?: Shard;
  /** In a state's lines the shard is understood. */
  readonly attempts: (Omit<ComputedBy, "shard"> & { readonly shard?: Shard })[];
  skipUnreadable: boolean;
  seconds: number;
  waitingSeconds: number | null;
  /** Whether these are the sums of what its pictures say. */
  summed: boolean;
  readonly pictures: Map<number, EvaluatedPicture>;
}

const REMEDY = "give a state file, or what evaluate --json printed, whole";

/**
 * Reads an evaluation.
 *
 * @param file what errors call it
 * @throws EngineError "evaluation" where it is none, is damaged, or says something twice
 */
export function parseEvaluation(text: string, file: string): Evaluation {
  const collected: Collected = {
    attempts: [],
    skipUnreadable: false,
    seconds: 0,
    waitingSeconds: 0,
    summed: true,
    pictures: new Map(),
  };
  text.split("\n").forEach((line, index) => {
    if (line.trim() !== "") take(collected, parseLine(line, index + 1, file), `line ${index + 1}`, file);
  });
  const { run, shard, attempts, skipUnreadable, seconds, waitingSeconds, pictures } = collected;
  if (!run || !shard) throw refusal(file, "it is not an evaluation, or its last line is missing");
  const sorted = [...pictures.values()].sort((a, b) => a.number - b.number);
  for (const { number } of sorted) {
    if (number >= run.total || number % shard.of !== shard.index - 1) {
      throw refusal(file, `picture ${number} is none of shard ${shard.index}/${shard.of} of ${run.total} pictures`);
    }
  }
  const computedBy = allOf(attempts.map((attempt) => ({ shard, ...attempt })));
  return {
    run,
    shard,
    adapter: adapterOf(computedBy),
    computedBy,
    pictures: sorted,
    seconds,
    waitingSeconds,
    skipUnreadable,
  };
}

function parseLine(line: string, number: number, file: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The engine's own message says it better.
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(file, `line ${number} is not a JSON object`);
  }
  return value as Fields;
}

function take(collected: Collected, fields: Fields, where: string, file: string): void {
  const check = (holds: boolean, what: string) => {
    if (!holds) throw refusal(file, `${where} has no valid ${what}`);
  };
  const { run, shard, adapter, computedBy, skipUnreadable } = fields;
  if ("image" in fields) {
    const picture = pictureOf(fields, check);
    const earlier = collected.pictures.get(picture.number);
    // What could not be read is looked at again. Otherwise the first counts: a process that was taken for dead may have
    // written a picture that its successor wrote, too.
    if (!earlier || "error" in earlier) {
      collected.pictures.set(picture.number, picture);
      if (collected.summed) addTimes(collected, fields, check);
    }
    return;
  }
  if (run !== undefined) {
    check(isRun(run), "run");
    check(isShard(shard), "shard");
    if (collected.run) throw refusal(file, `${where} begins another evaluation`);
    collected.run = run as EvaluationRun;
    collected.shard = shard as Shard;
    if (fields["seconds"] !== undefined) {
      Object.assign(collected, { seconds: 0, waitingSeconds: 0, summed: false });
      addTimes(collected, fields, check);
    }
  }
  if (computedBy !== undefined) {
    check(isListOf(computedBy, isComputedBy), "computedBy");
    collected.attempts.push(...(computedBy as ComputedBy[]));
  } else if (adapter !== undefined) {
    check(isAttempt(fields), "adapter");
    const known = Object.entries({ adapter, tuning: fields["tuning"], batch: fields["batch"] });
    const attempt = Object.fromEntries(known.filter(([, value]) => value !== undefined)) as unknown as ComputedBy;
    if (adapter !== "") collected.attempts.push(attempt);
  }
  if (skipUnreadable !== undefined) {
    check(typeof skipUnreadable === "boolean", "skipUnreadable");
    collected.skipUnreadable = skipUnreadable as boolean;
  }
}

/** What took no time known of is left out; of what did, it may not be known how much of it was waiting. */
function addTimes(
  collected: Collected,
  { seconds, waitingSeconds = null }: Fields,
  check: (holds: boolean, what: string) => void,
): void {
  if (seconds === undefined) return;
  check(isAmount(seconds), "seconds");
  check(waitingSeconds === null || isAmount(waitingSeconds), "waitingSeconds");
  collected.seconds += seconds as number;
  const known = collected.waitingSeconds !== null && waitingSeconds !== null;
  collected.waitingSeconds = known ? collected.waitingSeconds! + (waitingSeconds as number) : null;
}

function pictureOf(fields: Fields, check: (holds: boolean, what: string) => void): EvaluatedPicture {
  const { number, image, class: shown, error, top5, probabilities, ofClass, models } = fields;
  check(isCount(number), "number");
  check(typeof image === "string", "image");
  check(isCount(shown), "class");
  const picture = { number, image, class: shown } as LabelledPicture;
  if (error !== undefined) {
    check(typeof error === "string", "error");
    return { ...picture, error: error as string };
  }
  check(isTop5(top5), "top5");
  check(isListOf(probabilities, isAmount) && probabilities.length === (top5 as []).length, "probabilities");
  check(isAmount(ofClass), "ofClass");
  check(models === undefined || isListOf(models, isTop5), "models");
  return {
    ...picture,
    top5: top5 as number[],
    probabilities: probabilities as number[],
    ofClass: ofClass as number,
    ...(models === undefined ? {} : { models: models as number[][] }),
  };
}

function isRun(value: unknown): boolean {
  const { engine, models, protocol, crops, precision, backend, pictures, total } = (value ?? {}) as Fields;
  const texts = [engine, protocol, precision, backend, pictures].every((each) => typeof each === "string");
  return texts && isCount(crops) && isCount(total) && isListOf(models, isModel) && models.length > 0;
}

function isComputedBy(value: unknown): boolean {
  return isAttempt((value ?? {}) as Fields) && isShard((value as Fields)["shard"]);
}

function isAttempt({ adapter, tuning, batch }: Fields): boolean {
  const known = [undefined, null].includes(tuning as undefined) || typeof tuning === "string";
  return typeof adapter === "string" && known && (batch === undefined || isCount(batch));
}

function isModel(value: unknown): boolean {
  const { name, sha256 } = (value ?? {}) as Fields;
  return typeof name === "string" && typeof sha256 === "string";
}

function isTop5(value: unknown): boolean {
  return isListOf(value, isCount) && value.length > 0 && value.length <= 5;
}

function isShard(value: unknown): boolean {
  const { index, of } = (value ?? {}) as Fields;
  return isCount(index) && isCount(of) && index >= 1 && index <= of;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isListOf(value: unknown, holds: (each: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(holds);
}

function refusal(file: string, problem: string): EngineError {
  return new EngineError("evaluation", file, problem, REMEDY);
}
