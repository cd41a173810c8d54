/** The names of steps as people read them: layers without their ReLUs, and what they have in common said once. */

const partOfLayer = / \(\d+ of \d+\)$/;

/** What all steps of a layer are called: the name without `(1 of 3)`. */
export function layerOf(step: string): string {
  return step.replace(partOfLayer, "");
}

/** The layers that a step's name joins, but for a ReLU behind another. */
export function layerNames(step: string): string[] {
  return layerOf(step)
    .split(" + ")
    .filter((layer, index) => index === 0 || !/(^|\/)relu/.test(layer));
}

/** Layers together, those of the first one's block without its name: `inception_3a/1x1 + 3x3_reduce`. */
export function joinNames([first, ...others]: readonly string[]): string {
  const block = first.slice(0, first.lastIndexOf("/") + 1);
  return [first, ...others.map((layer) => (layer.startsWith(block) ? layer.slice(block.length) : layer))].join(" + ");
}

/** A step's name for a table: `inception_3a/1x1 + 3x3_reduce (1 of 3)`. */
export function shortName(step: string): string {
  return joinNames(layerNames(step)) + (partOfLayer.exec(step)?.[0] ?? "");
}
