/** The report's style, behind what all pages share. */

import { brightColors } from "../../page/colors.ts";
import { variantColors } from "./efforts.ts";

export const reportStyle = `
:root { --paper-bar: #b4b7bb; --track: #e3e4e6; }
@media (prefers-color-scheme: dark) {
  :root { --paper-bar: #565b62; --track: #2c3035; }
}
p.subtitle { max-width: none; }
h3 { font-size: 15px; margin: 22px 0 6px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
table.errors, table.classes, table.confusions { font-size: 13px; table-layout: auto; }
table.errors { margin-bottom: 26px; }
table.errors :is(td, th), table.classes :is(td, th), table.confusions :is(td, th) { padding-top: 0; padding-bottom: 0;
  line-height: 22px; }
table.errors thead :is(td, th), table.classes thead th, table.confusions thead th { vertical-align: bottom; }
table.errors :is(td, th):nth-child(2), table.classes :is(td, th):nth-child(2), table.confusions :is(td, th):nth-child(3)
  { width: 100%; }
table.errors tr.effort th { font-weight: 600; padding-top: 8px; text-align: left; }
table.errors tbody tr:not(.effort) th { padding-left: 12px; }
table.classes thead th:nth-child(2) { text-align: left; }
table.classes th:first-child, table.confusions th:first-child, table.confusions td.taken, table.errors tbody th {
  max-width: 260px; overflow: hidden; text-overflow: ellipsis; }
.taken { text-align: left; }
td.taken { color: var(--soft); }
table.confusions td.taken { color: inherit; }
.of { color: var(--soft); }
table tbody tr:hover { background: var(--panel); }
table.paper { max-width: 760px; }
table.paper .variant { text-align: left; }
table.errors thead th:first-child { min-width: 76px; }
table.paper tr.run > * { font-weight: 600; }
table.paper tr.run > .soft, table.paper tr.run > .variant { font-weight: 400; }
.whisker line { stroke: var(--ink); stroke-width: 1.5; }
rect.paper { fill: var(--paper-bar); }
rect.top1 { fill: ${brightColors[0]}; fill-opacity: 0.4; }
rect.top5 { fill: ${brightColors[0]}; }
rect.alone { fill: var(--paper-bar); }
rect.track { fill: var(--track); }
rect.wrong { fill: ${brightColors[1]}; }
rect.right { fill: ${brightColors[2]}; }
ul.gallery { list-style: none; padding: 0; margin: 14px 0 0; display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); }
ul.gallery li { display: grid; }
figure { margin: 0; background: var(--panel); border-radius: 8px; overflow: hidden; display: flex;
  flex-direction: column; }
figure img, figure .missing { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain;
  background: var(--track); }
figure .missing { display: grid; place-items: center; color: var(--soft); font-size: 13px; }
figcaption { padding: 10px 14px 12px; font-size: 13px; display: flex; flex-direction: column; flex: 1; }
figcaption dl { margin: 0; }
figcaption dt { color: var(--soft); }
figcaption dd { margin: 0 0 8px; line-height: 1.35; }
figcaption strong { display: block; font-size: 15px; font-weight: 600; overflow-wrap: anywhere; }
figcaption svg { margin: 5px 0 3px; }
figcaption .file { margin: auto 0 0; color: var(--soft); font-size: 12px; overflow-wrap: anywhere; }
ul.unreadable { padding: 0; list-style: none; font-size: 13px; margin: 10px 0 0; }
ul.unreadable li { padding: 4px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
${variantColors.map((color, rank) => `rect.v${rank} { fill: ${color}; }`).join("\n")}
@media (max-width: 700px) {
  table.errors tbody th, table.classes th:first-child { max-width: 128px; }
  table.confusions th:first-child, table.confusions td.taken { max-width: 104px; }
  /* Names of files often differ at their ends alone. */
  table.models tbody tr:not(.effort) th { white-space: normal; overflow-wrap: anywhere; line-height: 1.25; min-width: 124px;
    padding-bottom: 5px; }
  table.errors text.wide { display: none; }
  table.paper { font-size: 13px; }
  table.paper :is(td, th) { padding-left: 6px; }
  table.paper th:first-child { padding-left: 0; }
  table.paper thead th { white-space: normal; vertical-align: bottom; }
  ul.gallery { grid-template-columns: 1fr 1fr; gap: 10px; }
  figcaption { padding: 8px 10px 10px; }
  figcaption strong { font-size: 14px; }
  .of { display: none; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --panel: #fff;
    --paper-bar: #b4b7bb; --track: #ddd; }
  * { print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  tr, li, figure { break-inside: avoid; }
  figure { border: 1px solid var(--line); }
  ul.gallery { grid-template-columns: repeat(4, 1fr); }
}
`;
