/** The style sheet that all pages share: light or dark as the reader has it, and one column that fits a telephone. */

export const styleSheet = `
:root { color-scheme: light dark; --paper: #fdfdfc; --ink: #1c1e21; --soft: #5d636b; --line: #e3e4e6;
  --panel: #f4f4f2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e8e9ea; --soft: #9da3ab; --line: #2c3035; --panel: #1d2024; }
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
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 0 3px 12px; font-weight: 400; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--soft); font-size: 13px; border-bottom: 1px solid var(--line); }
.swatch { display: inline-block; vertical-align: -1px; margin-right: 8px; }
.plot { max-width: 100%; height: auto; margin: 10px 0; }
.narrow { display: none; }
.grid { stroke: var(--line); }
.tick, .axis { fill: var(--soft); }
.scroll { overflow-x: auto; }
details { margin-top: 44px; }
summary { font-size: 19px; font-weight: 600; cursor: pointer; }
details table { font-size: 13px; margin-top: 10px; }
@media (max-width: 700px) {
  main { padding: 20px 14px 48px; }
  h1 { font-size: 24px; }
  .wide { display: none; }
  .narrow { display: block; }
  dl.tiles { grid-template-columns: 1fr 1fr; }
  th, td { padding-left: 8px; }
}
`;
