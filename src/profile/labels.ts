/** Names beside dots, where there is room for them. */

export interface Dot {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface PlacedLabel {
  readonly text: string;
  /** Where it begins, and its baseline. */
  readonly x: number;
  readonly y: number;
}

/** A character's width and a line's height at the labels' 11 pixels, both rather too large. */
const characterWidth = 6.3;
const lineHeight = 13;

/** Dots smaller than this may be covered, where a larger one would go without its name. */
const hideable = 6;

/**
 * Puts names beside dots, the first ones first, where they cover neither each other nor, if it can be helped, the
 * dots; those without room are left out.
 */
export function placeLabels(
  wanted: readonly { readonly text: string; readonly dot: Dot }[],
  dots: readonly Dot[],
  frame: Box,
): PlacedLabel[] {
  const taken: Box[] = [];
  const placed: PlacedLabel[] = [];
  for (const { text, dot } of wanted) {
    const width = text.length * characterWidth;
    const gap = dot.radius + 4;
    const candidates: [x: number, y: number][] = [
      [dot.x + gap, dot.y - lineHeight / 2],
      [dot.x - gap - width, dot.y - lineHeight / 2],
      [dot.x - width / 2, dot.y - gap - lineHeight],
      [dot.x - width / 2, dot.y + gap],
      [dot.x + gap * 0.7, dot.y - gap * 0.7 - lineHeight],
      [dot.x + gap * 0.7, dot.y + gap * 0.7],
      [dot.x - gap * 0.7 - width, dot.y - gap * 0.7 - lineHeight],
      [dot.x - gap * 0.7 - width, dot.y + gap * 0.7],
    ];
    const boxes = candidates.map(([left, top]) => ({ left, top, right: left + width, bottom: top + lineHeight }));
    const free = boxes.filter((box) => within(box, frame) && !taken.some((other) => overlap(box, other)));
    const clearOf = (least: number) =>
      free.find((box) => !dots.some((other) => other !== dot && other.radius >= least && covers(other, box)));
    const box = clearOf(0) ?? clearOf(hideable);
    if (!box) continue;
    taken.push(box);
    placed.push({ text, x: box.left, y: box.bottom - 3 });
  }
  return placed;
}

function within(box: Box, frame: Box): boolean {
  return box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Whether a dot reaches into a box. */
function covers({ x, y, radius }: Dot, { left, top, right, bottom }: Box): boolean {
  const nearestX = Math.min(Math.max(x, left), right);
  const nearestY = Math.min(Math.max(y, top), bottom);
  return Math.hypot(nearestX - x, nearestY - y) < radius;
}
