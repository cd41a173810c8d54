/** How a blob's feature maps are laid out as a grid of tiles: all of one size, in whole pixels a value. */

import { elementCount, type Shape } from "../graph/tensor.ts";

/** Feature maps of one image: `count` of `height` × `width`, in C order. */
export interface MapStack {
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

export interface MapLayout extends MapStack {
  readonly columns: number;
  readonly rows: number;
  /** Pixels a value. */
  readonly scale: number;
  /** Pixels between maps. */
  readonly gap: number;
  /** How large a pixel is shown: 1, or less where not even one a value has room. */
  readonly zoom: number;
  /** Of the whole grid, in pixels. */
  readonly gridWidth: number;
  readonly gridHeight: number;
}

/** A value in the grid. */
export interface MapPlace {
  readonly map: number;
  readonly row: number;
  readonly column: number;
}

/** No map is drawn larger; one is looked at more closely beside the grid. */
const LARGEST_SIDE = 128;

/** The maps of a blob with one image: (1, C, H, W), or (1, C), whose maps are single values. */
export function mapsOf(shape: Shape): MapStack {
  const [, count = 1, height = 1, ...rest] = shape;
  return { count, height, width: elementCount(rest) };
}

/** The grid may be this much higher than asked before its maps are shown smaller than a pixel a value. */
const TOLERATED = 1.5;
const ZOOMS = [1, 1 / 2, 1 / 4];

/**
 * The largest tiles with which the grid is as wide as there is room, and not higher than asked, if that can be.
 *
 * @param room the width of the place that it is shown in, in pixels
 */
export function layoutMaps(maps: MapStack, room: number, highest: number): MapLayout {
  let best = layoutAt(maps, room, 1, 1);
  for (let scale = 2; Math.max(maps.height, maps.width) * scale <= LARGEST_SIDE; scale++) {
    const larger = layoutAt(maps, room, scale, 1);
    if (larger.gridHeight > highest || larger.gridWidth > room) break;
    best = larger;
  }
  const zooms = ZOOMS.map((zoom) => (zoom === 1 ? best : layoutAt(maps, room, 1, zoom)));
  return zooms.find(({ gridHeight, zoom }) => gridHeight * zoom <= highest * TOLERATED) ?? zooms.at(-1)!;
}

function layoutAt(maps: MapStack, room: number, scale: number, zoom: number): MapLayout {
  const { count, height, width } = maps;
  const gap = width * scale < 12 ? 1 : 2 / zoom;
  const columns = Math.min(count, Math.max(1, Math.floor((room / zoom + gap) / (width * scale + gap))));
  const rows = Math.ceil(count / columns);
  const gridWidth = columns * (width * scale + gap) - gap;
  const gridHeight = rows * (height * scale + gap) - gap;
  return { ...maps, columns, rows, scale, gap, zoom, gridWidth, gridHeight };
}

/** The value under a point of the grid as it is shown; undefined between maps and behind the last. */
export function placeAt(layout: MapLayout, shownX: number, shownY: number): MapPlace | undefined {
  const { count, height, width, columns, scale, gap, zoom, gridWidth, gridHeight } = layout;
  const [x, y] = [shownX / zoom, shownY / zoom];
  if (!(x >= 0 && y >= 0 && x < gridWidth && y < gridHeight)) return undefined;
  const [pitchX, pitchY] = [width * scale + gap, height * scale + gap];
  const [tileX, tileY] = [Math.floor(x / pitchX), Math.floor(y / pitchY)];
  const column = Math.floor((x - tileX * pitchX) / scale);
  const row = Math.floor((y - tileY * pitchY) / scale);
  const map = tileY * columns + tileX;
  return column < width && row < height && map < count ? { map, row, column } : undefined;
}

/** A map's left and top edge in the grid. */
export function cornerOf({ columns, height, width, scale, gap }: MapLayout, map: number): { x: number; y: number } {
  return { x: (map % columns) * (width * scale + gap), y: Math.floor(map / columns) * (height * scale + gap) };
}

/** Where a value lies in the blob. */
export function indexOf({ height, width }: MapStack, { map, row, column }: MapPlace): number {
  return (map * height + row) * width + column;
}
