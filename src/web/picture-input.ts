/** The ways in which files reach the page: chosen, dropped anywhere, pasted; and the samples. */

import { EngineError } from "../errors.ts";
import { byId, make } from "./dom.ts";

export interface FileHandlers {
  readonly onPicture: (picture: globalThis.Blob, name: string) => void;
  readonly onWeights: (file: File) => void;
}

/** The project's own drawings, by the files in `samples/`. */
const SAMPLES = [
  ["clock", "Clock"],
  ["traffic-light", "Traffic light"],
  ["honeycomb", "Honeycomb"],
  ["crossword", "Crossword"],
] as const;

/** The side of a drawing that doesn't say how large it is, in pixels. */
const DRAWING_SIDE = 512;

export function listenForFiles({ onPicture, onWeights }: FileHandlers): void {
  const take = (file: File) => {
    if (/\.(safetensors|caffemodel|onnx)$/i.test(file.name)) onWeights(file);
    else onPicture(file, file.name || "the picture");
  };
  connect("choose-picture", "picture-file", take);
  connect("choose-weights", "weights-file", onWeights);
  document.addEventListener("paste", ({ clipboardData }) => {
    const [file] = clipboardData?.files ?? [];
    if (file) take(file);
  });
  listenForDrops(take);
  byId("samples").append(...SAMPLES.map(([file, name]) => sampleButton(`samples/${file}.svg`, name, onPicture)));
}

function connect(button: string, input: string, take: (file: File) => void): void {
  const chooser = byId(input, HTMLInputElement);
  byId(button).addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    const [file] = chooser.files ?? [];
    // The same file may be chosen again.
    chooser.value = "";
    if (file) take(file);
  });
}

function listenForDrops(take: (file: File) => void): void {
  const root = document.documentElement;
  const hasFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") === true;
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    root.classList.add("dropping");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (relatedTarget === null) root.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    root.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer?.files ?? [];
    if (file) take(file);
  });
}

function sampleButton(url: string, name: string, onPicture: FileHandlers["onPicture"]): HTMLElement {
  const button = make(
    "button",
    { type: "button", class: "sample", "aria-label": `Sample: ${name}`, title: name },
    make("img", { src: url, alt: "", width: 56, height: 56 }),
  );
  button.addEventListener("click", () => {
    void fetch(url)
      .then((response) => response.blob())
      .then(
        (blob) => onPicture(blob, name),
        () => onPicture(new globalThis.Blob([]), name),
      );
  });
  return button;
}

/**
 * Decodes a picture, upright.
 *
 * @throws EngineError "picture"
 */
export async function decodePicture(picture: globalThis.Blob, name: string): Promise<ImageBitmap> {
  try {
    return await (picture.type === "image/svg+xml" ? decodeDrawing(picture) : createImageBitmap(picture));
  } catch (error) {
    throw new EngineError(
      "picture",
      name,
      picture.size === 0 ? "is empty" : "this browser cannot decode it",
      "give a JPEG, PNG, WebP, GIF, AVIF or SVG",
      { cause: error },
    );
  }
}

/** Browsers decode drawings only as images of a page. */
async function decodeDrawing(drawing: globalThis.Blob): Promise<ImageBitmap> {
  const image = new Image();
  image.src = URL.createObjectURL(drawing);
  try {
    await image.decode();
    const [resizeWidth, resizeHeight] = [image.naturalWidth || DRAWING_SIDE, image.naturalHeight || DRAWING_SIDE];
    return await createImageBitmap(image, { resizeWidth, resizeHeight });
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
