/** The chosen picture, as large as there is room, and the part of it that the network looks at. */

import { INPUT_SIDE, frame } from "../image/preprocess.ts";
import { byId, contextOf } from "./dom.ts";

/** Pixels of the longer side, enough for a sharp picture on any screen. */
const LONGEST = 1024;

export function showPreview(picture: ImageBitmap, name: string): void {
  const share = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((extent) => Math.max(1, Math.round(extent * share)));
  const canvas = byId("preview", HTMLCanvasElement);
  const context = contextOf(canvas, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  canvas.setAttribute("aria-label", `The chosen picture: ${name}`);
  canvas.hidden = false;
  byId("well-hint").hidden = true;
  showCrop(canvas, picture);
}

/** A frame around what remains when the margins are cut. */
function showCrop(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  const { size, window } = frame("squash256", picture, INPUT_SIDE);
  const crop = byId("crop");
  crop.hidden = false;
  // Where the canvas lies in its well is known once it is laid out, and changes with the window's width.
  const place = () => {
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = canvas;
    crop.style.left = `${offsetLeft + (offsetWidth * window.x) / size.width}px`;
    crop.style.top = `${offsetTop + (offsetHeight * window.y) / size.height}px`;
    crop.style.width = `${(offsetWidth * window.width) / size.width}px`;
    crop.style.height = `${(offsetHeight * window.height) / size.height}px`;
  };
  observer?.disconnect();
  observer = new ResizeObserver(place);
  observer.observe(canvas);
  place();
}

let observer: ResizeObserver | undefined;
