/** The line that says what is going on before pictures can be labelled, and with what they are, then. */

import { byId } from "./dom.ts";
import { megabytes } from "./figures.ts";
import type { News, Ready, Stage } from "./protocol.ts";

const STAGES: Readonly<Record<Stage, string>> = {
  gpu: "Opening the GPU …",
  download: "Loading the weights …",
  check: "Checking the weights …",
  read: "Reading the weights …",
  upload: "Handing the weights to the GPU …",
  compile: "Compiling the kernels …",
};

/** Shows a stage and how far it is. What screen readers speak of is the stage alone, once. */
export function showProgress({ stage, done, of }: Extract<News, { kind: "progress" }>): void {
  setText("status-text", STAGES[stage]);
  byId("status-detail").textContent =
    stage === "download" ? `${megabytes(done)} of ${megabytes(of)}` : of > 1 ? `${done} of ${of}` : "";
  const progress = byId("status-progress", HTMLProgressElement);
  progress.hidden = false;
  // Without a value it shows that something is going on.
  if (of > 1) progress.value = done / of;
  else progress.removeAttribute("value");
}

export function showReady({ adapter, weights }: Ready): void {
  const { name, from, bytes, kept, note } = weights;
  const size = bytes > 0 ? `, ${megabytes(bytes)}${kept ? ", kept in this browser" : ""}` : ", made up";
  endProgress(`Weights: ${name}${size}.`, `GPU: ${adapter}.${note === undefined ? "" : ` ${note}`}`);
  byId("weights-actions").hidden = false;
  byId("forget-weights").hidden = from !== "user";
}

/** Nothing goes on. */
export function endProgress(text: string, detail = ""): void {
  setText("status-text", text);
  byId("status-detail").textContent = detail;
  byId("status-progress").hidden = true;
}

/** Only where it changes, so that it is spoken once. */
function setText(id: string, text: string): void {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}
