/** A profile as one HTML page of pictures and numbers. */

import { documentOf } from "../page/document.ts";
import { duration, figure, percent } from "../page/figures.ts";
import { facts, type NamedValue, tiles } from "../page/lists.ts";
import { html, type Markup } from "../page/markup.ts";
import { bars, strip } from "./bars.ts";
import { type KernelClass, kernelClasses } from "./kernel-colors.ts";
import { blocksOf, type KernelTime, kernelTimes, layersOf } from "./layers.ts";
import { shortName } from "./names.ts";
import { describeRaised, type Profile } from "./profile.ts";
import { bandwidthPlot, rooflinePlot } from "./roofline-plot.ts";
import { profileStyle } from "./style.ts";

export interface PageOptions {
  readonly profile: Profile;
  /** What was profiled, `GoogLeNet`. */
  readonly subject: string;
  readonly device: string;
  readonly batch: number;
  /** Of the run, in ISO 8601. */
  readonly date: string;
  /** What else there is to say of the run, `["Weights", "seed:1"]`. */
  readonly facts: readonly NamedValue[];
}

/** The page whole, to be written as UTF-8. */
export function profilePage(options: PageOptions): string {
  const { profile, subject, device } = options;
  const kernels = kernelTimes(profile.steps);
  const kernelClass = kernelClasses(kernels);
  const layers = layersOf(profile);
  const blocks = blocksOf(layers);
  const raisedNote = describeRaised(profile, shortName)
    .map((note) => ` ${note[0].toUpperCase()}${note.slice(1)}.`)
    .join("");
  return documentOf({
    title: `${subject} in ${duration(profile.totals.gpuMs)} on ${device}`,
    style: profileStyle,
    body: html`<h1>${subject} in ${duration(profile.totals.gpuMs)}</h1>
      <p class="soft">${device} · batch ${options.batch} · ${options.date.slice(0, 10)}</p>
      ${summary(options)} ${strip(blocks, kernelClass)}
      <h2>Where the time goes</h2>
      <p class="soft">GPU time by kernel, in the colours of all that follows.</p>
      ${kernelTable(kernels, profile, kernelClass)}
      <h2>Layer by layer</h2>
      <p class="soft">
        A bar is a layer's time, in its kernels' colours. The thin line is the cumulative share, from 0 to 100 % across.
      </p>
      ${bars(blocks, kernelClass)}
      <h2>Against the device's ceilings</h2>
      <p class="soft">
        A dot a layer, as large as its time; the diamond is the whole run. The lines are what this device reached in
        micro-benchmarks of its own, before, between and after the runs.${raisedNote} Point at a dot, or walk through
        them with the Tab key, to read it.
      </p>
      <div class="wide">
        ${rooflinePlot(layers, profile.totals, profile.ceilings, kernelClass, { width: 1000, height: 540, labels: 14 })}
      </div>
      <div class="narrow">
        ${rooflinePlot(layers, profile.totals, profile.ceilings, kernelClass, { width: 362, height: 400, labels: 5 })}
      </div>
      ${memoryLayers()}
      <h2>How to read it</h2>
      <p>
        The roofline of a step is the least time that it could take: its multiply-adds at the device's best rate, or the
        bytes that it has to move at the best bandwidth, whichever is longer. The share of the roofline is that time
        over the one measured. In the share of the whole run, a step beyond the roofline counts as one at it, so that
        the whole is never beyond.
      </p>
      <p>
        Winograd's convolutions are three kinds of steps: a transform, a product, a transform back. The product counts
        the multiply-adds of the direct convolution that it stands for, 2.25 or 4 times as many as it makes, so it may
        lie above the arithmetic ceiling.
      </p>
      <p>
        Memory-bound steps may pass the bandwidth where their data still lies in a cache. Each step ran in a pass of its
        own, so that it could be timed, so their sum may differ from the time of a run in one pass.
      </p>
      ${stepTable(profile)}
      <details open>
        <summary>The run</summary>
        ${facts(options.facts)}
      </details> `,
  });

  function memoryLayers(): Markup {
    if (!layers.some(({ macs, gbps }) => macs === 0 && gbps > 0)) return html``;
    return html`<h2>Layers that only move data</h2>
      <p class="soft">Pooling, normalisation and the like, against the bandwidth; their height means nothing.</p>
      <div class="wide">
        ${bandwidthPlot(layers, profile.ceilings, kernelClass, { width: 1000, height: 210, labels: 8 })}
      </div>
      <div class="narrow">
        ${bandwidthPlot(layers, profile.ceilings, kernelClass, { width: 362, height: 210, labels: 3 })}
      </div>`;
  }
}

function summary({ profile: { totals, ceilings, steps }, batch }: PageOptions): Markup {
  return tiles([
    [batch === 1 ? "one image" : `${batch} images`, duration(totals.gpuMs)],
    ["steps", figure(steps.length)],
    ["reached", `${figure(totals.gflops)} GFLOP/s`],
    ["of the roofline", percent(totals.roofline)],
    ["arithmetic ceiling", `${figure(ceilings.gflops)} GFLOP/s`],
    ["memory ceiling", `${figure(ceilings.gbps)} GB/s`],
  ]);
}

/** The legend, with what each kernel takes. */
function kernelTable(kernels: readonly KernelTime[], { totals }: Profile, kernelClass: KernelClass): Markup {
  const rows = kernels.map(
    ({ kernel, gpuMs, steps }) =>
      html`<tr>
        <th scope="row">
          <svg class="swatch" width="12" height="12" aria-hidden="true">
            <rect class="${kernelClass(kernel)}" width="12" height="12" rx="2" /></svg
          >${kernel}
        </th>
        <td class="optional">${steps}</td>
        <td>${duration(gpuMs)}</td>
        <td>${percent(totals.gpuMs > 0 ? gpuMs / totals.gpuMs : 0)}</td>
      </tr> `,
  );
  return html`<table class="kernels">
    <thead>
      <tr>
        <th scope="col">kernel</th>
        <th scope="col" class="optional">steps</th>
        <th scope="col">time</th>
        <th scope="col">share</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

function stepTable({ steps, totals }: Profile): Markup {
  const numbers = ({ gpuMs, gflops, gbps, roofline }: Profile["totals"], share: number) =>
    html`<td>${duration(gpuMs)}</td>
      <td>${gflops > 0 ? figure(gflops) : ""}</td>
      <td>${figure(gbps)}</td>
      <td>${percent(share)}</td>
      <td>${percent(roofline)}</td>`;
  const rows = steps.map(
    (step) =>
      html`<tr>
        <th scope="row">${step.name}</th>
        <td>${step.kernel}</td>
        ${numbers(step, step.share)}
      </tr> `,
  );
  return html`<details>
    <summary>The numbers, step by step</summary>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">step</th>
            <th scope="col">kernel</th>
            <th scope="col">GPU time</th>
            <th scope="col">GFLOP/s</th>
            <th scope="col">GB/s</th>
            <th scope="col">share</th>
            <th scope="col">roofline</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">total</th>
            <td></td>
            ${numbers(totals, 1)}
          </tr>
        </tfoot>
      </table>
    </div>
  </details>`;
}
