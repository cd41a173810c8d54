/** The page's style sheet: light or dark as the reader has it, and one column that fits a telephone. */

import { kernelColors } from "./kernel-colors.ts";

export const styleSheet = `
:root { color-scheme: light dark; --paper: #fdfdfc; --ink: #1c1e21; --soft: #5d636b; --line: #e3e4e6;
  --panel: #f4f4f2; --roof: #1c1e21; --beyond: #ebebe8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e8e9ea; --soft: #9da3ab; --line: #2c3035; --panel: #1d2024; --roof: #e8e9ea;
    --beyond: #0d0e10; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.02em; }
h2 { font-size: 19px; margin: 44px 0 4px; letter-spacing: -0.01em; }
p { margin: 4px 0 14px; max-width: 72ch; }
.soft { color: var(--soft); }
dl.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 22px 0 26px; }
dl.tiles div { background: var(--panel); border-radius: 8px; padding: 10px 14px; }
dl.tiles dt { color: var(--soft); font-size: 13px; }
dl.tiles dd { margin: 0; font-size: 18px; font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 13px; margin: 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
svg { display: block; overflow: visible; }
svg text { fill: var(--ink); font-size: 12px; }
svg.strip rect { stroke: var(--paper); stroke-width: 0.6; }
svg.strip .cut { stroke: var(--ink); stroke-width: 1; }
svg.strip text { fill: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 0 3px 12px; font-weight: 400; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--soft); font-size: 13px; border-bottom: 1px solid var(--line); }
table.kernels { max-width: 620px; }
.swatch { display: inline-block; vertical-align: -1px; margin-right: 8px; }
table.bars { font-size: 13px; }
table.bars td, table.bars th { padding-top: 0; padding-bottom: 0; line-height: 22px; }
table.bars th:nth-child(2) { text-align: left; }
table.bars td:nth-child(2) { width: 100%; }
table.bars tbody th { padding-left: 12px; }
table.bars tr.block > * { font-weight: 600; border-top: 1px solid var(--line); }
table.bars tr.block th { padding-left: 0; }
table.bars tbody tr:hover { background: var(--panel); }
.cumulative { stroke: var(--soft); stroke-width: 1; opacity: 0.75; }
.plot { max-width: 100%; height: auto; margin: 10px 0; }
.narrow { display: none; }
.grid { stroke: var(--line); }
.tick, .axis { fill: var(--soft); }
.roof { fill: none; stroke: var(--roof); stroke-width: 2; }
.beyond { fill: var(--beyond); }
svg .ceiling { font-weight: 600; }
svg .name { font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round;
  pointer-events: none; }
.dot circle { fill-opacity: 0.8; stroke: var(--paper); stroke-width: 1; cursor: pointer; }
.dot:hover circle, .dot:focus circle { fill-opacity: 1; stroke: var(--ink); stroke-width: 2; }
.dot:focus { outline: none; }
.readout { visibility: hidden; pointer-events: none; }
.dot:hover .readout, .dot:focus .readout { visibility: visible; }
.plot:has(.dot:hover) .dot:focus:not(:hover) .readout { visibility: hidden; }
svg .readout tspan:first-child { font-weight: 600; }
.all path { fill: none; stroke: var(--ink); stroke-width: 2; }
.scroll { overflow-x: auto; }
details { margin-top: 44px; }
summary { font-size: 19px; font-weight: 600; cursor: pointer; }
details table { font-size: 13px; margin-top: 10px; }
details th:nth-child(2), details td:nth-child(2) { text-align: left; }
details tfoot > * > * { border-top: 1px solid var(--line); font-weight: 600; }
${kernelColors.map((color, rank) => `.k${rank} { fill: ${color}; }`).join("\n")}
@media (max-width: 700px) {
  main { padding: 20px 14px 48px; }
  h1 { font-size: 24px; }
  .wide { display: none; }
  .narrow { display: block; }
  dl.tiles { grid-template-columns: 1fr 1fr; }
  table.kernels .optional { display: none; }
  table.bars th { max-width: 132px; overflow: hidden; text-overflow: ellipsis; }
  table.bars tr.block th { overflow: visible; }
  th, td { padding-left: 8px; }
}
`;
