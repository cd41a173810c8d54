/**
 * A blob as a grid of feature maps, and beside it the map that is pointed at or moved to, large enough to read its
 * values one by one.
 */

import { labelOf } from "../labels/labels.ts";
import { type ColorScale, scaleFor } from "./color-scale.ts";
import { byId } from "./dom.ts";
import { figure } from "./figures.ts";
import { cornerOf, indexOf, layoutMaps, type MapLayout, type MapPlace, mapsOf, placeAt } from "./map-layout.ts";
import { paintMaps, paintScale } from "./pixel-canvas.ts";
import type { Blob } from "./protocol.ts";
import { firstNameOf } from "./results.ts";

/** Pixels up to which the grid grows before its tiles stop growing. */
const HIGHEST = 620;
/** The side of the map beside the grid, or below it, in pixels, at most. */
const LENS_SIDES = { beside: 260, below: 120 } as const;
/** Classes of the network: blobs of as many values are about them. */
const CLASSES = 1000;

/** How far an arrow key moves, in columns and rows of what has the focus. */
const MOVES: Readonly<Record<string, readonly [columns: number, rows: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class FeatureMaps {
  private readonly grid = byId("grid");
  private readonly gridCanvas = byId("grid-canvas", HTMLCanvasElement);
  private readonly gridCursor = byId("grid-cursor");
  private readonly lens = byId("lens-view");
  private readonly lensCanvas = byId("lens-canvas", HTMLCanvasElement);
  private readonly lensCursor = byId("lens-cursor");
  private blob: Blob | undefined;
  private layout: MapLayout | undefined;
  private scale: ColorScale | undefined;
  private perMap = true;
  private lensSide: number = LENS_SIDES.beside;
  private lensLayout: MapLayout | undefined;
  private place: MapPlace = { map: 0, row: 0, column: 0 };

  constructor() {
    this.grid.addEventListener("pointermove", (event) => this.pointAt(event));
    this.grid.addEventListener("pointerdown", (event) => this.pointAt(event));
    this.grid.addEventListener("keydown", (event) => this.moveMap(event));
    this.lens.addEventListener("pointermove", (event) => this.pointInLens(event));
    this.lens.addEventListener("pointerdown", (event) => this.pointInLens(event));
    this.lens.addEventListener("keydown", (event) => this.moveValue(event));
    for (const radio of document.querySelectorAll<HTMLInputElement>("input[name=scale]")) {
      radio.addEventListener("change", () => {
        this.perMap = radio.value === "map";
        this.paint();
      });
    }
    // The grid is as wide as its place, which follows the window.
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width === width) return;
      width = contentRect.width;
      this.paint();
    }).observe(byId("map-view"));
  }

  /** The blob that is shown. */
  get shown(): Blob | undefined {
    return this.blob;
  }

  show(blob: Blob): void {
    const maps = mapsOf(blob.shape);
    const same = this.blob && sameMaps(mapsOf(this.blob.shape), maps);
    this.blob = blob;
    this.scale = scaleFor(blob.data);
    // Another picture's blob is looked at where this one's was.
    if (!same) this.place = { map: 0, row: Math.floor(maps.height / 2), column: Math.floor(maps.width / 2) };
    this.grid.setAttribute("aria-valuemax", String(maps.count - 1));
    this.lens.setAttribute("aria-valuemax", String(maps.height * maps.width - 1));
    this.paint();
  }

  private paint(): void {
    const { blob, scale } = this;
    if (!blob || !scale) return;
    const maps = mapsOf(blob.shape);
    const view = byId("map-view");
    const lensWidth = byId("lens").getBoundingClientRect().width;
    const beside = getComputedStyle(view).flexDirection === "row";
    this.lensSide = beside ? LENS_SIDES.beside : LENS_SIDES.below;
    const room = Math.floor(view.clientWidth - (beside ? lensWidth + 24 : 0));
    this.layout = layoutMaps(maps, Math.max(room, 1), HIGHEST);
    paintMaps(this.gridCanvas, this.layout, blob.data, (map) => this.scaleOf(map));
    const { gridWidth, gridHeight, zoom } = this.layout;
    this.gridCanvas.style.width = `${gridWidth * zoom}px`;
    this.gridCanvas.style.height = `${gridHeight * zoom}px`;
    // Whole pixels stay sharp; what is shown smaller is averaged.
    this.gridCanvas.style.imageRendering = zoom < 1 ? "auto" : "pixelated";
    const from = byId("scale-from");
    const to = byId("scale-to");
    paintScale(byId("scale-bar", HTMLCanvasElement), scale);
    const [lowest, highest] = scale.kind === "from zero" ? ["0", "a map's largest"] : ["below zero", "above zero"];
    from.textContent = this.perMap ? lowest : figure(scale.from);
    to.textContent = this.perMap ? highest : figure(scale.to);
    byId("scale-text").textContent = `Smallest value of all maps ${figure(scale.min)}, largest ${figure(scale.max)}.`;
    this.showPlace();
  }

  /** What a map is coloured by. */
  private scaleOf(map: number): ColorScale {
    const { blob, scale } = this;
    const { height, width } = mapsOf(blob!.shape);
    return this.perMap ? scaleFor(blob!.data.subarray(map * height * width, (map + 1) * height * width)) : scale!;
  }

  private showPlace(): void {
    const { blob, layout, place } = this;
    if (!blob || !layout) return;
    const { map, row, column } = place;
    const { height, width } = layout;
    const { x, y } = cornerOf(layout, map);
    const shown = layout.scale * layout.zoom;
    setBox(this.gridCursor, x * layout.zoom, y * layout.zoom, width * shown, height * shown);
    const one = { count: 1, height, width };
    const lensScale = Math.max(1, Math.floor(this.lensSide / Math.max(height, width)));
    this.lensLayout = {
      ...one,
      columns: 1,
      rows: 1,
      scale: lensScale,
      gap: 0,
      zoom: 1,
      gridWidth: width * lensScale,
      gridHeight: height * lensScale,
    };
    const values = blob.data.subarray(map * height * width, (map + 1) * height * width);
    paintMaps(this.lensCanvas, this.lensLayout, values, () => this.scaleOf(map));
    setBox(this.lensCursor, column * lensScale, row * lensScale, lensScale, lensScale);
    this.lens.hidden = height * width === 1;
    this.describePlace(values, blob.data[indexOf(layout, place)]);
  }

  private describePlace(values: Float32Array, value: number): void {
    const { blob, layout, place } = this;
    const { map, row, column } = place;
    const { count, height, width } = layout!;
    const single = height * width === 1;
    const { min, max } = scaleFor(values);
    const name = `${single ? "Value" : "Map"} ${map} of ${count}`;
    const label = single && blob!.shape[1] === CLASSES ? firstNameOf(labelOf(map).name) : undefined;
    const title = label === undefined ? name : `${name}: ${label}`;
    const range = single ? "" : `from ${figure(min)} to ${figure(max)}`;
    const where = single ? "" : `row ${row}, column ${column}: `;
    const shown = document.createElement("data");
    shown.value = String(value);
    shown.textContent = figure(value);
    const strong = document.createElement("strong");
    strong.textContent = title;
    byId("lens-text").replaceChildren(
      strong,
      document.createElement("br"),
      ...(single ? [] : [range, document.createElement("br")]),
      where,
      shown,
    );
    this.grid.setAttribute("aria-valuenow", String(map));
    this.grid.setAttribute("aria-valuetext", single ? `${title}, ${figure(value)}` : `${title}, ${range}`);
    this.lens.setAttribute("aria-valuenow", String(row * width + column));
    this.lens.setAttribute("aria-valuetext", `${where}${figure(value)}`);
  }

  private pointAt(event: PointerEvent): void {
    if (!this.layout) return;
    const { left, top } = this.gridCanvas.getBoundingClientRect();
    const place = placeAt(this.layout, event.clientX - left, event.clientY - top);
    if (place) this.moveTo(place);
  }

  private pointInLens(event: PointerEvent): void {
    if (!this.lensLayout) return;
    const { left, top } = this.lensCanvas.getBoundingClientRect();
    const place = placeAt(this.lensLayout, event.clientX - left, event.clientY - top);
    if (place) this.moveTo({ ...place, map: this.place.map });
  }

  private moveMap(event: KeyboardEvent): void {
    if (!this.layout) return;
    const { count, columns } = this.layout;
    const { map } = this.place;
    const target = targetOf(event, map, count, columns);
    if (target === undefined) return;
    event.preventDefault();
    this.moveTo({ ...this.place, map: target });
  }

  private moveValue(event: KeyboardEvent): void {
    if (!this.layout) return;
    const { height, width } = this.layout;
    const { row, column } = this.place;
    const target = targetOf(event, row * width + column, height * width, width);
    if (target === undefined) return;
    event.preventDefault();
    this.moveTo({ ...this.place, row: Math.floor(target / width), column: target % width });
  }

  private moveTo(place: MapPlace): void {
    this.place = place;
    this.showPlace();
  }
}

/** Where a key leads among `count` tiles in rows of `columns`; undefined for keys that lead nowhere. */
function targetOf(
  { key, ctrlKey, altKey, metaKey }: KeyboardEvent,
  from: number,
  count: number,
  columns: number,
): number | undefined {
  if (ctrlKey || altKey || metaKey) return undefined;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!Object.hasOwn(MOVES, key)) return undefined;
  const [byColumns, byRows] = MOVES[key];
  const target = from + byColumns + byRows * columns;
  return target >= 0 && target < count ? target : from;
}

function sameMaps(a: ReturnType<typeof mapsOf>, b: ReturnType<typeof mapsOf>): boolean {
  return a.count === b.count && a.height === b.height && a.width === b.width;
}

function setBox({ style }: HTMLElement, x: number, y: number, width: number, height: number): void {
  style.transform = `translate(${x}px, ${y}px)`;
  style.width = `${width}px`;
  style.height = `${height}px`;
}
