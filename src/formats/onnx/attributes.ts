/** A node's attributes as its op asks for them. Those that nobody asks for are refused: they might mean something. */

import type { Attribute } from "./proto.ts";
import type { TensorProto } from "./tensor.ts";

/** What an attribute's value is, by its kind. */
interface Kinds {
  readonly float: number;
  readonly int: number;
  readonly string: string;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly tensor: TensorProto;
}

export class Attributes {
  private readonly given: ReadonlyMap<string, Attribute>;
  private readonly refuse: (problem: string) => never;
  private readonly asked = new Set<string>();

  constructor(given: ReadonlyMap<string, Attribute>, refuse: (problem: string) => never) {
    this.given = given;
    this.refuse = refuse;
  }

  /** The value of an attribute; undefined where it isn't given. */
  optional<K extends keyof Kinds>(name: string, kind: K): Kinds[K] | undefined {
    this.asked.add(name);
    const attribute = this.given.get(name);
    if (!attribute) return undefined;
    if (attribute.kind !== kind) {
      const found = attribute.kind === "other" ? attribute.value : attribute.kind;
      return this.refuse(`its attribute ${name} is of kind ${found}, not ${kind}`);
    }
    return attribute.value as Kinds[K];
  }

  required<K extends keyof Kinds>(name: string, kind: K): Kinds[K] {
    return this.optional(name, kind) ?? this.refuse(`it lacks the attribute ${name}`);
  }

  int(name: string, preset: number): number {
    return this.optional(name, "int") ?? preset;
  }

  flag(name: string, preset = false): boolean {
    return this.int(name, preset ? 1 : 0) !== 0;
  }

  float(name: string, preset: number): number {
    return this.optional(name, "float") ?? preset;
  }

  string(name: string, preset: string): string {
    return this.optional(name, "string") ?? preset;
  }

  /** Says that an attribute changes nothing here. */
  ignore(name: string): void {
    this.asked.add(name);
  }

  /** Refuses what was not asked for. */
  close(opset: number): void {
    for (const name of this.given.keys()) {
      if (this.asked.has(name)) continue;
      const known = [...this.asked].join(", ") || "none";
      this.refuse(`its attribute ${name} isn't supported in operator set ${opset}, where those that are: ${known}`);
    }
  }
}
