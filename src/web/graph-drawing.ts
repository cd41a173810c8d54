/**
 * The network as a drawing whose layers are buttons. One of them is in the page's tab order; arrow keys move along the
 * edges and lanes, Home and End to both ends, Enter and the space bar choose.
 */

import type { ValueId } from "../graph/graph.ts";
import { draw, make } from "./dom.ts";
import { mapCount } from "./figures.ts";
import { type Direction, type GraphLayout, type LayerBox, type LayerKind, neighbour } from "./graph-layout.ts";
import { mapsOf } from "./map-layout.ts";

/** In pixels of the drawing. */
const PITCH = { x: 29, y: 33 } as const;
const BOX = { width: 25, height: 22 } as const;
/** Around the drawing, with room for what stands above and below the groups. */
const MARGIN = { x: 6, top: 30, bottom: 26 } as const;

const KINDS: Readonly<Record<LayerKind, string>> = {
  input: "input",
  convolution: "convolution",
  pooling: "pooling",
  normalisation: "normalisation",
  joining: "concatenation",
  classifying: "classifier",
  other: "nothing at inference",
};

export class GraphDrawing {
  readonly element: SVGSVGElement;
  private readonly layout: GraphLayout;
  private readonly onChoose: (box: LayerBox) => void;
  private readonly buttons = new Map<ValueId, SVGGElement>();
  private chosen: ValueId | undefined;

  constructor(layout: GraphLayout, onChoose: (box: LayerBox) => void) {
    this.layout = layout;
    this.onChoose = onChoose;
    const width = (layout.columns - 1) * PITCH.x + BOX.width + 2 * MARGIN.x;
    const height = (layout.bottom - layout.top) * PITCH.y + BOX.height + MARGIN.top + MARGIN.bottom;
    this.element = draw(
      "svg",
      {
        id: "graph",
        viewBox: `0 0 ${width} ${height}`,
        width,
        height,
        role: "group",
        "aria-label": "Layers of the network",
      },
      draw("g", {}, ...layout.groups.map((group) => this.drawGroup(group))),
      draw("g", { class: "edges", "aria-hidden": "true" }, ...this.drawEdges()),
      draw("g", {}, ...[...layout.boxes.values()].map((box) => this.drawBox(box))),
    );
    // The style makes it smaller where there is less room, and never larger.
    this.element.style.maxWidth = `${width}px`;
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.enter([...layout.boxes.keys()][0]);
  }

  /** Marks the chosen layer; the drawing is entered there from then on. */
  choose(id: ValueId): void {
    if (this.chosen !== undefined) this.buttons.get(this.chosen)?.setAttribute("aria-pressed", "false");
    this.chosen = id;
    this.buttons.get(id)?.setAttribute("aria-pressed", "true");
    this.enter(id);
  }

  /** Marks the layers that the weights in use don't have. */
  setMissing(missing: (id: ValueId) => boolean): void {
    for (const [id, button] of this.buttons) button.setAttribute("aria-disabled", String(missing(id)));
  }

  private drawGroup({ label, output, left, right, top, bottom }: GraphLayout["groups"][number]): SVGGElement {
    const box = this.layout.boxes.get(output)!;
    const [x, y] = [this.x(left) - BOX.width / 2 - 1, this.y(top) - BOX.height / 2 - 5];
    const width = (right - left) * PITCH.x + BOX.width + 2;
    const height = (bottom - top) * PITCH.y + BOX.height + 10;
    // What hangs below the trunk has its name below.
    const labelY = top > 0 ? y + height + 14 : y - 6;
    const group = draw(
      "g",
      { class: "group" },
      draw("rect", { x, y, width, height, rx: 7 }),
      draw("text", { x: x + width / 2, y: labelY, "text-anchor": "middle", "aria-hidden": "true" }, label),
    );
    // The whole block stands for what it gives; by the keyboard that is its last layer.
    group.addEventListener("click", () => this.press(box));
    return group;
  }

  private drawEdges(): SVGPathElement[] {
    return [...this.layout.boxes.values()].flatMap(({ inputs, ...to }) =>
      inputs.map((id) => {
        const from = this.layout.boxes.get(id)!;
        const [x1, y1] = [this.x(from.column) + BOX.width / 2, this.y(from.lane)];
        const [x2, y2] = [this.x(to.column) - BOX.width / 2, this.y(to.lane)];
        const reach = Math.min(x2 - x1, PITCH.x) * 0.6;
        // What spans several columns runs straight in its own lane, and turns where it leaves and where it arrives.
        return draw("path", { d: `M${x1} ${y1}C${x1 + reach} ${y1} ${x2 - reach} ${y2} ${x2} ${y2}` });
      }),
    );
  }

  private drawBox(box: LayerBox): SVGGElement {
    const [x, y] = [this.x(box.column), this.y(box.lane)];
    const name = nameOf(box);
    const button = draw(
      "g",
      {
        class: `layer ${box.kind}`,
        role: "button",
        tabindex: -1,
        "aria-pressed": "false",
        "aria-label": name,
        "data-blob": box.id,
      },
      draw("title", {}, name),
      draw("rect", { x: x - BOX.width / 2, y: y - BOX.height / 2, width: BOX.width, height: BOX.height, rx: 5 }),
      draw("text", { x, y: y + 3.5, "text-anchor": "middle", "aria-hidden": "true" }, box.label),
    );
    button.addEventListener("click", () => this.press(box));
    this.buttons.set(box.id, button);
    return button;
  }

  private press(box: LayerBox): void {
    const button = this.buttons.get(box.id)!;
    this.enter(box.id);
    button.focus();
    if (button.getAttribute("aria-disabled") !== "true") this.onChoose(box);
  }

  private onKey(event: KeyboardEvent): void {
    const id = (event.target as Element).getAttribute("data-blob");
    if (id === null || event.ctrlKey || event.altKey || event.metaKey) return;
    const known = this.keys[event.key];
    if (!known) return;
    event.preventDefault();
    known(id);
  }

  /** What a key does at a layer. */
  private readonly keys: Readonly<Record<string, ((id: ValueId) => void) | undefined>> = {
    ArrowLeft: (id) => this.walk(id, "left"),
    ArrowRight: (id) => this.walk(id, "right"),
    ArrowUp: (id) => this.walk(id, "up"),
    ArrowDown: (id) => this.walk(id, "down"),
    Home: () => this.goTo(this.ends()[0]),
    End: () => this.goTo(this.ends()[1]),
    Enter: (id) => this.press(this.layout.boxes.get(id)!),
    " ": (id) => this.press(this.layout.boxes.get(id)!),
  };

  private walk(from: ValueId, direction: Direction): void {
    const next = neighbour(this.layout, from, direction);
    if (next !== undefined) this.goTo(next);
  }

  private goTo(id: ValueId): void {
    this.enter(id);
    this.buttons.get(id)?.focus();
  }

  /** The layers at the left and right end of the drawing. */
  private ends(): readonly [ValueId, ValueId] {
    const inOrder = [...this.layout.boxes.values()].sort((a, b) => a.column - b.column);
    return [inOrder[0].id, inOrder.at(-1)!.id];
  }

  /** Makes a layer the one that the tab key comes to. */
  private enter(id: ValueId): void {
    for (const [each, button] of this.buttons) button.setAttribute("tabindex", each === id ? "0" : "-1");
  }

  private x(column: number): number {
    return MARGIN.x + BOX.width / 2 + column * PITCH.x;
  }

  private y(lane: number): number {
    return MARGIN.top + BOX.height / 2 + (lane - this.layout.top) * PITCH.y;
  }
}

/** What a layer is called to those who hear it. It has what is written on the layer in it, so that it can be spoken to. */
function nameOf({ id, label, description, shape }: LayerBox): string {
  const written = `${id} ${description}`.split(/[ /]/).includes(label) ? "" : `${label}, `;
  return `${id}: ${written}${description}, ${mapCount(mapsOf([1, ...shape]))}`;
}

/** The colours of the layers, in words. */
export function legendOf({ boxes }: GraphLayout): HTMLElement[] {
  const kinds = new Set([...boxes.values()].map(({ kind }) => kind));
  return [...kinds].map((kind) =>
    make("li", {}, make("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), KINDS[kind]),
  );
}
