/** The five most probable classes as bars, and how long it took. */

import { labelOf, topK } from "../labels/labels.ts";
import { byId, make } from "./dom.ts";
import { duration, percent } from "./figures.ts";
import type { Classified, Stage } from "./protocol.ts";

const SHOWN = 5;

/** What is said of the time, besides the time itself. */
const CLOCKS: Readonly<Record<Classified["clock"], string>> = {
  gpu: "on the GPU, by its own clock",
  wall: "from submitting to reading, as this GPU gives no time of its own",
};

/** Shows what came out. `meaningless` says that the weights are made up. */
export function showResults({ probabilities, milliseconds, clock }: Classified, meaningless: boolean): void {
  const bars = byId("bars");
  const ranked = topK(probabilities, SHOWN);
  bars.replaceChildren(
    ...ranked.map(({ class: index, probability }) => {
      const fill = make("div", { class: "fill" });
      fill.style.width = `${100 * probability}%`;
      return make(
        "li",
        {},
        make("span", { class: "name" }, ...namesOf(labelOf(index).name)),
        make("data", { class: "share", value: String(probability), "data-class": index }, percent(probability)),
        make("div", { class: "bar", "aria-hidden": "true" }, fill),
      );
    }),
  );
  bars.hidden = false;
  byId("results-hint").hidden = !meaningless;
  if (meaningless) byId("results-hint").textContent = "The weights are made up: these labels mean nothing.";
  byId("timing").hidden = false;
  byId("timing-text").replaceChildren(make("strong", {}, duration(milliseconds)), ` ${CLOCKS[clock]}`);
  const [{ class: best, probability }] = ranked;
  byId("announcement").textContent = `${firstNameOf(labelOf(best).name)}, ${percent(probability)}`;
}

/** Says for what a picture waits. */
export function showAwaited(name: string, stage: Stage): void {
  const awaited = stage === "upload" || stage === "compile" ? "the kernels are compiled" : "the weights are here";
  byId("results-hint").textContent = `${name} is labelled as soon as ${awaited}.`;
}

/** Shows that the bars are those of another picture, until new ones come. */
export function showWaiting(waiting: boolean): void {
  byId("results").classList.toggle("waiting", waiting);
  byId("results").setAttribute("aria-busy", String(waiting));
}

/** A label's first name, and its synonyms quieter. */
function namesOf(name: string): (HTMLElement | string)[] {
  const [first, ...others] = name.split(", ");
  return others.length === 0 ? [first] : [first, make("small", {}, ` ${others.join(", ")}`)];
}

export function firstNameOf(name: string): string {
  return name.split(", ")[0];
}
