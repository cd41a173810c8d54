/** Each kernel's declarations in WGSL against its descriptor in TypeScript. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { kernels } from "../../src/plan/registry.ts";

const folder = new URL("../../kernels/", import.meta.url);
// The package's own entry for Node is CommonJS under a name that Node takes for a module; the other one has no types
// beside it.
const reflectModule: string = "wgsl_reflect/wgsl_reflect.module.js";
const { WgslReflect } = (await import(reflectModule)) as typeof import("wgsl_reflect");

/** What activations are bound as, but for the one that is written. */
const activations = ["input", "left", "right"];

test("every file in kernels/ has a descriptor, and every descriptor a file", () => {
  const files = readdirSync(folder).sort();
  expect(files).toEqual(kernels.map(({ name }) => `${name}.wgsl`).sort());
});

test("no two kernels share a name", () => {
  expect(new Set(kernels.map(({ name }) => name)).size).toBe(kernels.length);
});

describe.each(kernels.map((kernel) => ({ kernel, name: kernel.name })))("$name", ({ kernel, name }) => {
  const source = readFileSync(new URL(`${name}.wgsl`, folder), "utf8");
  const declarations = declarationsOf(source);
  // Nor does it know the type of an experiment.
  const reflected = new WgslReflect(declarations.replace(/^alias \w+ = subgroup_matrix_.*$/gm, ""));

  test("its header says how much there is to do for what is loaded, and where the idea is from", () => {
    const header = source.slice(0, source.search(/^(?!\/\/)/m));
    expect(header).toMatch(/Arithmetic intensity: /);
    expect(header).toMatch(/^\/\/ (.*[.] )?\([A-Z]/m);
  });

  test("all declarations stand before the functions", () => {
    expect(source.slice(declarations.length)).not.toMatch(/^(@group|alias|const|override|struct|var)\b/m);
  });

  test("its bindings, in their order, and the uniform behind them", () => {
    const bindings = reflected.getBindGroups().flat();
    expect(bindings.map(({ group, binding }) => [group, binding])).toEqual(bindings.map((_, index) => [0, index]));
    const storage = bindings.slice(0, -1).map((each) => ({ name: each.name, access: each.access }));
    expect(storage).toEqual(kernel.bindings);
    const uniform = bindings.at(-1)!;
    expect([uniform.name, uniform.type.name, uniform.access]).toEqual(["layer", "Layer", "read"]);
    // The last storage binding is what the kernel writes. Its inputs are bound for writing too, since all are ranges of
    // one buffer, but no statement writes there.
    for (const input of activations)
      expect(source).not.toMatch(new RegExp(`^\\s*${input}\\[.*\\]\\s*[-+*/]?=[^=]`, "m"));
    const writable = ["output", "rest", ...activations];
    const access = storage.map(({ name }) => (writable.includes(name) ? "read_write" : "read"));
    expect(kernel.bindings.map((each) => each.access)).toEqual(access);
    expect(storage.at(-1)!.name).toBe("output");
  });

  test("its override constants", () => {
    expect(reflected.overrides.map((each) => each.name).sort()).toEqual([...kernel.constants].sort());
  });

  test("its replaceable constants, all literals of type u32", () => {
    const literals = [...declarations.matchAll(/^const (\w+) = \d+u;/gm)].map(([, constant]) => constant);
    expect(literals.sort()).toEqual([...kernel.tiles].sort());
  });

  test("its types of elements", () => {
    const aliases = [...declarations.matchAll(/^alias (\w+) = f32;/gm)].map(([, alias]) => alias);
    expect(aliases).toEqual(kernel.elements ?? ["Element"]);
  });

  test("the fields of its struct Layer: names, order, types, places", () => {
    const layer = reflected.structs.find((struct) => struct.name === "Layer")!;
    const wanted = kernel.layer.map((field, index) => ({
      name: field,
      type: kernel.floats?.includes(field) ? "f32" : "u32",
      offset: 4 * index,
    }));
    // An array<vec4u, 2> is eight fields.
    const fields = layer.members.flatMap(({ name, type, offset, isArray, format, count }) => {
      if (!isArray) return [{ name, type: type.name, offset }];
      expect(format!.name).toBe("vec4u");
      return Array.from({ length: 4 * count }, (_, index) => ({
        name: `${name}[${index}]`,
        type: "u32",
        offset: offset + 4 * index,
      }));
    });
    expect(fields).toEqual(wanted);
    expect(kernel.floats ?? []).toEqual((kernel.floats ?? []).filter((field) => kernel.layer.includes(field)));
    // The executor gives each step 256 bytes of one buffer.
    expect(layer.size).toBeLessThanOrEqual(256);
  });
});

/** The text before the first function. wgsl_reflect stumbles over identifiers like `block` in their bodies. */
function declarationsOf(source: string): string {
  const functions = /^(@compute|fn )/m.exec(source)!;
  return source.slice(0, functions.index).replace(/(\s*\/\/\/?.*)+\s*$/, "\n");
}
