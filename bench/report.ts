/**
 * `npm run bench:report`: bench/README.md's figures, and its pictures, from the newest record of every device in
 * bench/results/.
 */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchRecord } from "../src/bench/record.ts";
import { barChart } from "./report/chart.ts";
import { renderReport } from "./report/render.ts";

const folder = import.meta.dirname;
const results = join(folder, "results");
const readme = join(folder, "README.md");
const BEGIN = "<!-- made by npm run bench:report: edit bench/report/, not what follows -->";

const records = existsSync(results)
  ? readdirSync(results)
      .filter((name) => name.endsWith(".json"))
      .sort()
      .map((name) => ({ name, record: JSON.parse(readFileSync(join(results, name), "utf8")) as BenchRecord }))
  : [];
// Names begin with dates: the last of a device is its newest.
const newest = [...new Map(records.map((each) => [each.record.environment.adapter, each])).values()];

for (const name of existsSync(results) ? readdirSync(results) : []) {
  if (name.endsWith(".svg")) rmSync(join(results, name));
}
for (const { name, record } of newest) {
  writeFileSync(join(results, name.replace(/json$/, "svg")), barChart(record));
}
const [kept] = readFileSync(readme, "utf8").split(BEGIN);
writeFileSync(readme, `${kept}${BEGIN}\n\n${renderReport(newest)}`);
process.stderr.write(`${readme}: ${newest.length} of ${records.length} records\n`);
