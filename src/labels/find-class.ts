/** Which class somebody means by a name: its WordNet id, its line of the label file, or any of its synonyms. */

import { EngineError } from "../errors.ts";
import { IMAGENET_LABELS, type Label } from "./imagenet.ts";
import { nearNames } from "./near-names.ts";

/** `n01440764`, alone or before what people add to it: `n01440764-tench`, `n01440764 tench`. */
const WORDNET_ID = /^(n\d{8})(?:[^0-9a-z].*)?$/i;

export class ClassNames {
  private readonly byId: ReadonlyMap<string, number>;
  /** Each name, as `plain` has it, with the classes that bear it. */
  private readonly byName = new Map<string, Set<number>>();
  private readonly labels: readonly Label[];

  constructor(labels: readonly Label[] = IMAGENET_LABELS) {
    this.labels = labels;
    this.byId = new Map(labels.map(({ id }, index) => [id, index]));
    labels.forEach(({ name }, index) => {
      for (const each of [name, ...name.split(",")]) {
        const key = plain(each);
        const classes = this.byName.get(key) ?? new Set();
        this.byName.set(key, classes.add(index));
      }
    });
  }

  /** How many classes there are. */
  get count(): number {
    return this.labels.length;
  }

  /**
   * The class of this name, 0-based. Upper and lower case are the same, and so are `_` and a space.
   *
   * @param subject what errors call that which bears the name
   * @throws EngineError `evaluation` where there is no such class, with near names, or where several bear that name
   */
  find(name: string, subject: string): number {
    const [, id] = WORDNET_ID.exec(name.trim()) ?? [];
    if (id !== undefined) {
      const index = this.byId.get(id.toLowerCase());
      if (index !== undefined) return index;
      throw new EngineError("evaluation", subject, `${id} is none of the ${this.count} classes`, "check the id");
    }
    const [first, ...others] = this.byName.get(plain(name)) ?? [];
    if (first === undefined) {
      const near = nearNames(plain(name), this.byName.keys()).map((each) => `"${each}"`);
      const remedy = `use WordNet ids or names of classes; near ones are ${near.join(", ")}`;
      throw new EngineError("evaluation", subject, `"${name}" is no class's name`, remedy);
    }
    if (others.length > 0) {
      const ids = [first, ...others].map((index) => `${this.labels[index].id} (${this.labels[index].name})`);
      throw new EngineError("evaluation", subject, `"${name}" is several classes' name`, `use ${ids.join(" or ")}`);
    }
    return first;
  }
}

function plain(name: string): string {
  return name
    .normalize("NFC")
    .toLowerCase()
    .replace(/[_\s]+/g, " ")
    .trim();
}
