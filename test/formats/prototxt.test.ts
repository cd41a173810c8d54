/** Protobuf's text format: what escapes in texts mean. */

import { expect, test } from "vitest";
import { readPrototxt } from "../../src/formats/prototxt.ts";

const nameOf = (text: string) => readPrototxt(`name: ${text}`, "net").string("name");

test.each([
  [String.raw`"conv\x2f1"`, "conv/1"],
  [String.raw`"conv\0571"`, "conv/1"],
  [String.raw`'\57\X2F'`, "//"],
  [String.raw`"\\x2f\"\'\?"`, `\\x2f"'?`],
  [String.raw`"\a\b\f\n\r\t\v"`, "\x07\b\f\n\r\t\v"],
  [String.raw`"gr\303\274n \xe2\x82\xac"`, "grün €"],
  [String.raw`"gr\u00fcn \U0001F600"`, "grün 😀"],
  [String.raw`"a\x2f" "b\057"`, "a/b/"],
])("%s is read", (text, name) => {
  expect(nameOf(text)).toBe(name);
});

test.each([
  String.raw`"\q"`,
  String.raw`"\x"`,
  String.raw`"\8"`,
  String.raw`"\777"`,
  String.raw`"\u12"`,
  String.raw`"\ud800"`,
  String.raw`"\U00110000"`,
  String.raw`"\xff"`,
  String.raw`"\303" "\274"`,
  `"\\`,
])("%s is refused", (text) => {
  expect(() => nameOf(text)).toThrow(/^line 1: a text/);
});
