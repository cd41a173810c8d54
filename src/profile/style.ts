/** The profile's style, behind what all pages share. */

import { brightColors } from "../page/colors.ts";

export const profileStyle = `
:root { --roof: #1c1e21; --beyond: #ebebe8; }
@media (prefers-color-scheme: dark) {
  :root { --roof: #e8e9ea; --beyond: #0d0e10; }
}
svg.strip rect { stroke: var(--paper); stroke-width: 0.6; }
svg.strip .cut { stroke: var(--ink); stroke-width: 1; }
svg.strip text { fill: var(--soft); }
table.kernels { max-width: 620px; }
table.bars { font-size: 13px; }
table.bars td, table.bars th { padding-top: 0; padding-bottom: 0; line-height: 22px; }
table.bars th:nth-child(2) { text-align: left; }
table.bars td:nth-child(2) { width: 100%; }
table.bars tbody th { padding-left: 12px; }
table.bars tr.block > * { font-weight: 600; border-top: 1px solid var(--line); }
table.bars tr.block th { padding-left: 0; }
table.bars tbody tr:hover { background: var(--panel); }
.cumulative { stroke: var(--soft); stroke-width: 1; opacity: 0.75; }
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
details th:nth-child(2), details td:nth-child(2) { text-align: left; }
details tfoot > * > * { border-top: 1px solid var(--line); font-weight: 600; }
${brightColors.map((color, rank) => `.k${rank} { fill: ${color}; }`).join("\n")}
@media (max-width: 700px) {
  table.kernels .optional { display: none; }
  table.bars th { max-width: 132px; overflow: hidden; text-overflow: ellipsis; }
  table.bars tr.block th { overflow: visible; }
}
`;
