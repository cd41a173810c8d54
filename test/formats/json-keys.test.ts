import fc from "fast-check";
import { expect, it } from "vitest";
import { findDuplicateKey } from "../../src/formats/json-keys.ts";

it.each<[string, string | null]>([
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', null],
  ['{"a":1,"b":[{"x":{}}],"a":2}', "a"],
  ['{"b":{"c":1,"c":2}}', "c"],
  ['[{"c":1},{"d":1,"d":2}]', "d"],
  ['{"\\u0061":1, "a" :2}', "a"],
  ['{"a":"a\\":","b":"\\\\"}', null],
  ['{"__proto__":1,"__proto__":2}', "__proto__"],
  ["1", null],
])("finds in %s the key %s twice", (json, expected) => {
  expect(findDuplicateKey(json)).toBe(expected);
});

it("finds none in what JSON.stringify writes", () => {
  fc.assert(fc.property(fc.json(), (json) => findDuplicateKey(json) === null));
});
