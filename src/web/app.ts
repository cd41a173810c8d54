/** The page: what the user does goes to the worker, and what comes back is shown. */

import { EngineError } from "../errors.ts";
import { writeNpy } from "../formats/npy.ts";
import { googLeNet } from "../graph/googlenet.ts";
import { inferShapesForBatch, type ValueId } from "../graph/graph.ts";
import { connectCamera } from "./camera.ts";
import { byId, make } from "./dom.ts";
import { EngineClient } from "./engine-client.ts";
import { FeatureMaps } from "./feature-maps.ts";
import { mapCount, megabytes } from "./figures.ts";
import { GraphDrawing, legendOf } from "./graph-drawing.ts";
import { layoutGraph, type LayerBox } from "./graph-layout.ts";
import { mapsOf } from "./map-layout.ts";
import { hideNotice, showNotice } from "./notices.ts";
import { decodePicture, listenForFiles } from "./picture-input.ts";
import { showPreview } from "./preview.ts";
import {
  type Blob,
  faultOf,
  type Message,
  type News,
  type Ready,
  type Stage,
  type WithoutWeights,
} from "./protocol.ts";
import { showAwaited, showResults, showWaiting } from "./results.ts";
import { endProgress, showProgress, showReady } from "./status-line.ts";
import { messageOf } from "./values.ts";
import type { NoWeights } from "./weights-offer.ts";
import { whyNoWebGpu } from "./why-no-webgpu.ts";

/** The layer that is shown before anyone chooses one. */
const FIRST_LAYER: ValueId = "conv1/7x7_s2";
const SEED = 1;

export class App {
  private readonly layout = layoutGraph(inferShapesForBatch(googLeNet({ heads: "all" }), 1));
  private readonly drawing = new GraphDrawing(this.layout, (box) => this.chooseLayer(box));
  private readonly maps = new FeatureMaps();
  private client: EngineClient | undefined;
  private ready: Ready | undefined;
  /** Whether this browser may turn out to have what it takes. */
  private able = true;
  /** The picture that is labelled as soon as that can be. */
  private waiting: ImageBitmap | undefined;
  private waitingName = "";
  /** What goes on before that. */
  private stage: Stage = "gpu";
  private labelling = false;
  /** Whether the worker has a picture. */
  private pictured = false;
  private layer: LayerBox = this.layout.boxes.get(FIRST_LAYER)!;
  /** Counts what was asked for, so that what comes too late is told apart. */
  private pictureCount = 0;
  private blobCount = 0;

  start(): void {
    byId("graph-scroll").append(this.drawing.element);
    byId("graph-legend").append(...legendOf(this.layout));
    listenForFiles({
      onPicture: (picture, name) => void this.takeFile(picture, name),
      onWeights: (file) => void this.takeWeights(file),
    });
    connectCamera((picture, name) => this.takePicture(picture, name));
    byId("again").addEventListener("click", () => void this.label());
    byId("forget-weights").addEventListener("click", () => void this.load((client) => client.ask("forget", undefined)));
    byId("linear").addEventListener("change", () => void this.showBlob());
    byId("save-blob").addEventListener("click", () => this.saveBlob());
    this.chooseLayer(this.layer);
    const missing = whyNoWebGpu(globalThis);
    // Something to look at while nobody has chosen anything.
    void this.takeFirstSample();
    if (missing) {
      this.giveUp(missing.title, missing.text);
      return;
    }
    this.client = this.openWorker();
    void this.load(this.begin);
  }

  private readonly begin = (client: EngineClient) => client.ask("start", undefined);

  /** Says why nothing can be labelled here. */
  private giveUp(title: string, text: string): void {
    this.able = false;
    endProgress("No picture can be labelled here.");
    byId("results-hint").textContent = "Nothing can be labelled without WebGPU; see above.";
    showNotice({ name: "webgpu", title, text: [text] });
  }

  private openWorker(): EngineClient {
    const worker = new Worker("worker.js", { type: "module" });
    const client = new EngineClient(worker, (news) => this.hear(news));
    worker.addEventListener("message", ({ data }: MessageEvent<Message>) => client.receive(data));
    worker.addEventListener("error", ({ message }) => {
      client.fail(new EngineError("check", "worker", message || "it does not start", "reload the page"));
    });
    return client;
  }

  private hear(news: News): void {
    if (news.kind === "progress") {
      showProgress(news);
      this.enter(news.stage);
      return;
    }
    showNotice({
      name: "lost",
      title: "The GPU was lost",
      text: [`The browser or the driver took it away (${news.why}). It can be opened again.`],
      actions: [{ label: "Go on", act: () => void (this.ready ? this.label() : this.load(this.begin)) }],
    });
  }

  /** Gets weights, and labels what waits for them. What was there before stays where that fails. */
  private async load(ask: (client: EngineClient) => Promise<Ready | WithoutWeights>): Promise<void> {
    if (!this.client) return;
    hideNotice("weights");
    hideNotice("lost");
    try {
      const state = await ask(this.client);
      if (state.state === "without weights") {
        this.ready = undefined;
        this.enter("gpu");
        endProgress("Waiting for weights.", `GPU: ${state.adapter}.`);
        this.askForWeights(state.offer);
        return;
      }
      this.ready = state;
      hideNotice("webgpu");
      showReady(state);
      this.drawing.setMissing((id) => state.weights.heads === "main" && /^loss[12]\//.test(id));
      if (this.waiting || this.pictured) await this.label();
    } catch (error) {
      this.failToLoad(error);
    }
  }

  private failToLoad(error: unknown): void {
    if (error instanceof EngineError && error.code === "adapter") {
      this.giveUp("There is no GPU to compute on", sentencesOf(error));
      return;
    }
    this.enter("gpu");
    if (this.ready) showReady(this.ready);
    else endProgress("No picture can be labelled yet.");
    // A loss has a notice of its own.
    if (isLoss(error)) return;
    showNotice({
      name: "weights",
      title: "These weights can't be used",
      text: [messageOf(error)],
      actions: [{ label: "Choose a file …", act: () => byId("weights-file").click() }, ...this.madeUp()],
    });
  }

  private askForWeights({ file, url, bytes, licence, source }: NoWeights): void {
    const link = (href: string, text: string) => make("a", { href, rel: "noreferrer" }, text);
    const where =
      url === undefined
        ? []
        : [
            " Either get them with ",
            make("code", {}, "npm start --silent -- weights fetch"),
            " where this page is served, and reload; or download ",
            link(url, file ?? "the file"),
            ` (${megabytes(bytes ?? 0)}, ${licence ?? "see its source"}`,
            ...(source === undefined ? [] : [", ", link(source, "source")]),
            ") and drop it here. It stays in this browser.",
          ];
    showNotice({
      name: "weights",
      title: "The network has no weights yet",
      text: ["What it has learnt is a file of its own: .safetensors, .caffemodel or .onnx.", ...where],
      actions: [{ label: "Choose a file …", act: () => byId("weights-file").click() }, ...this.madeUp()],
    });
  }

  private madeUp(): { label: string; act: () => void }[] {
    if (this.ready) return [];
    const act = () => void this.load((client) => client.ask("useSeed", { seed: SEED }));
    return [{ label: "Go on with made-up ones", act }];
  }

  private async takeWeights(file: File): Promise<void> {
    await this.load(async (client) => {
      const bytes = await file.arrayBuffer();
      return client.ask("useFile", { name: file.name, bytes }, [bytes]);
    });
  }

  private async takeFirstSample(): Promise<void> {
    try {
      const response = await fetch("samples/clock.svg");
      const picture = await decodePicture(await response.blob(), "Clock");
      // Whoever was faster has chosen.
      if (this.pictureCount === 0) this.takePicture(picture, "Clock");
    } catch {
      // Then the page waits for a picture of the user's.
    }
  }

  private async takeFile(file: globalThis.Blob, name: string): Promise<void> {
    const count = ++this.pictureCount;
    showError("");
    try {
      const picture = await decodePicture(file, name);
      if (count === this.pictureCount) this.takePicture(picture, name);
    } catch (error) {
      if (count === this.pictureCount) showError(messageOf(error));
    }
  }

  private takePicture(picture: ImageBitmap, name: string): void {
    this.pictureCount++;
    showError("");
    showPreview(picture, name);
    this.waiting?.close();
    this.waiting = picture;
    this.waitingName = name;
    if (this.ready) void this.label();
    else this.sayWhatIsAwaited();
  }

  private enter(stage: Stage): void {
    if (stage === this.stage) return;
    this.stage = stage;
    this.sayWhatIsAwaited();
  }

  /** Says when the picture that waits is labelled, where nothing else has been said of it. */
  private sayWhatIsAwaited(): void {
    if (this.waiting && !this.ready && this.able) showAwaited(this.waitingName, this.stage);
  }

  /** Labels the picture that waits, or the last one again, and then any that came meanwhile. */
  private async label(): Promise<void> {
    const { client } = this;
    if (!client || !this.ready || this.labelling) return;
    this.labelling = true;
    showWaiting(true);
    const hint = byId("results-hint");
    hint.textContent = "Looking at the picture …";
    let shown = false;
    try {
      do {
        const picture = this.waiting;
        this.waiting = undefined;
        const blob = this.blobName();
        const takes = { blob, ...(picture ? { picture } : {}) };
        const classified = await client.ask("classify", takes, picture ? [picture] : []);
        this.pictured = true;
        hideNotice("lost");
        if (this.waiting) continue;
        showResults(classified, this.ready.weights.from === "seed");
        if (classified.blob && blob === this.blobName()) {
          this.blobCount++;
          this.showMaps(classified.blob);
          shown = true;
        }
      } while (this.waiting);
    } catch (error) {
      hint.textContent = "Nothing came out of it.";
      // A loss has a notice of its own.
      if (!isLoss(error)) showError(messageOf(error));
    } finally {
      this.labelling = false;
      showWaiting(false);
    }
    if (this.pictured && !shown) await this.showBlob();
  }

  private chooseLayer(box: LayerBox): void {
    this.layer = box;
    this.drawing.choose(box.id);
    byId("activations-title").textContent = box.id;
    byId("linear-choice").hidden = box.linear === undefined;
    byId("activations-text").textContent = describe(box);
    if (this.pictured) void this.showBlob();
  }

  private async showBlob(): Promise<void> {
    const { client } = this;
    // Whoever labels shows the blob when that is done.
    if (!client || !this.pictured || this.labelling) return;
    const count = ++this.blobCount;
    const body = byId("activations-body");
    body.classList.add("waiting");
    try {
      const blob = await client.ask("blob", { name: this.blobName() });
      if (count === this.blobCount) this.showMaps(blob);
    } catch (error) {
      if (count === this.blobCount && !isLoss(error)) byId("activations-text").textContent = messageOf(error);
    } finally {
      if (count === this.blobCount) body.classList.remove("waiting");
    }
  }

  private showMaps(blob: Blob): void {
    byId("activations-body").hidden = false;
    byId("activations-text").textContent = describe(this.layer);
    this.maps.show(blob);
  }

  /** The blob that the page shows: the chosen layer's. */
  private blobName(): ValueId {
    const { id, linear } = this.layer;
    return linear !== undefined && byId("linear", HTMLInputElement).checked ? linear : id;
  }

  private saveBlob(): void {
    const { shown } = this.maps;
    if (!shown) return;
    const url = URL.createObjectURL(new globalThis.Blob([writeNpy(shown) as Uint8Array<ArrayBuffer>]));
    make("a", { href: url, download: `${this.layer.id.replaceAll("/", "#")}.npy` }).click();
    // The download has begun by then.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

function describe({ description, shape }: LayerBox): string {
  return `${description[0].toUpperCase()}${description.slice(1)}: ${mapCount(mapsOf([1, ...shape]))}.`;
}

/** An error as people write: what is wrong, what to do. */
function sentencesOf(error: EngineError): string {
  const { problem, remedy } = faultOf(error);
  return [problem, remedy].map((words) => `${words[0].toUpperCase()}${words.slice(1)}.`).join(" ");
}

function showError(message: string): void {
  const error = byId("picture-error");
  error.textContent = message;
  error.hidden = message === "";
}

function isLoss(error: unknown): boolean {
  return error instanceof EngineError && error.code === "device-lost";
}
