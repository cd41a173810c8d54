/** Each failure's class and name, which come of its code wherever it is thrown. */

import { inspect } from "node:util";
import { expect, expectTypeOf, test } from "vitest";
import { type ErrorCode, EngineError } from "../src/errors.ts";
import * as engine from "../src/index.ts";

const classes = {
  usage: engine.UsageError,
  picture: engine.PictureError,
  weights: engine.WeightsError,
  model: engine.ModelError,
  array: engine.ArrayError,
  buffer: engine.BufferError,
  graph: engine.GraphError,
  adapter: engine.AdapterError,
  "device-lost": engine.DeviceLostError,
  "out-of-memory": engine.OutOfMemoryError,
  gpu: engine.GpuError,
  write: engine.WriteError,
  evaluation: engine.EvaluationError,
  download: engine.DownloadError,
  check: engine.CheckError,
} satisfies Record<ErrorCode, abstract new (...parts: never) => EngineError>;

const codes = Object.keys(classes) as ErrorCode[];

test.each(codes)("%s has a class and a name of its own", (code) => {
  const cause = new Error("why");
  const error = new EngineError(code, "it", "is\nwrong", "mend it", { cause, layer: "conv", shapes: { given: [1] } });
  expect(codes.filter((each) => error instanceof classes[each])).toEqual([code]);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toBeInstanceOf(Error);
  const name = Object.entries(engine).find(([, value]) => value === classes[code])?.[0];
  expect(error).toMatchObject({ code, name, cause, subject: "it", remedy: "mend it", layer: "conv" });
  expect(String(error)).toBe(`${name}: it: is wrong; mend it`);
  expect(inspect(error)).toContain(name);
  expect(error.concerning({ layer: "other", shapes: { given: [2] } })).toMatchObject({
    layer: "conv",
    shapes: { given: [1] },
  });
});

test.each(["\n", "\r", "\r\n", "\u2028", "\u2029", " \n\n "])(
  "an error is one line, whatever names hold: %j",
  (breaks) => {
    const { message } = new EngineError("model", `a${breaks}b`, `c${breaks}d`, `e${breaks}f`);
    expect(message).toBe("a b: c d; e f");
  },
);

test("a class tells the compiler the code", () => {
  const error: unknown = new EngineError("buffer", "it", "is wrong", "mend it");
  if (error instanceof engine.BufferError) expectTypeOf(error.code).toEqualTypeOf<"buffer">();
  expect.assertions(0);
});
