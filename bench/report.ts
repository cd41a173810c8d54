/**
 * `npm run bench:report`: bench/README.md's figures, and its pictures, from the records in bench/results/: the newest of
 * every device and precision, and for targets the newest that speaks of them.
 */

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import type { BenchRecord } from "../src/bench/record.ts";
import { barChart } from "./report/chart.ts";
import { newestRecords } from "./report/records.ts";
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
// Names begin with dates, so that they are sorted by them.
const newest = newestRecords(records);

for (const name of existsSync(results) ? readdirSync(results) : []) {
  if (name.endsWith(".svg")) rmSync(join(results, name));
}
for (const { name, record } of newest) {
  writeFileSync(join(results, name.replace(/json$/, "svg")), barChart(record));
}
const [kept] = readFileSync(readme, "utf8").split(BEGIN);
const text = `${kept}${BEGIN}\n\n${renderReport(records)}`;
// As the project's other files are: what is not formatted fails its check.
writeFileSync(readme, await format(text, { ...(await resolveConfig(readme)), filepath: readme }));
process.stderr.write(`${readme}: ${newest.length} of ${records.length} records\n`);
