import { expect, test } from "vitest";
import { EngineError } from "../src/errors.ts";

test.each(["\n", "\r", "\r\n", "\u2028", "\u2029", " \n\n "])(
  "an error is one line, whatever names hold: %j",
  (breaks) => {
    const { message } = new EngineError("model", `a${breaks}b`, `c${breaks}d`, `e${breaks}f`);
    expect(message).toBe("a b: c d; e f");
  },
);
