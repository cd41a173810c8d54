/**
 * Where apt gets its packages on this machine, and the same place's backports. The machine's mirror may be the only
 * one that can be reached, and its entry may carry options (a key, credentials, `trusted=yes`), so the entry for the
 * backports is the machine's own entry with another suite.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { runQuietly } from "./command.mjs";

/** The fields of a deb822 stanza that the backports' entry does not take over as they are. */
const KNOWN_FIELDS = ["Types", "URIs", "Suites", "Components"];

const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * @typedef {object} SourceEntry
 * @property {"sources" | "list"} format deb822 stanza, or a line: the extension of the file that it can stand in
 * @property {string} text
 */

/**
 * @typedef {object} Archive
 * @property {string} site the mirror's address, such as `http://mirror.example.org/debian`
 * @property {boolean} hasBackports the suite is among the machine's sources already
 */

/**
 * Finds Debian's own archive among the machine's sources. Other archives use the release's codename as well; Debian's
 * has the component `main`, and its neighbours are the suite `CODENAME-updates` and a path that ends in `/debian`.
 *
 * @param {string} uris output of `apt-get update --print-uris`, which needs neither root nor downloaded lists
 * @param {string} codename such as `bookworm`
 * @returns {Archive | null}
 */
export function debianArchive(uris, codename) {
  /** @type {Map<string, Set<string>>} suites by site */
  const suites = new Map();
  for (const [, site = "", suite = ""] of uris.matchAll(/^'(\S+)\/dists\/(\S+?)\/main\/binary-/gm)) {
    suites.set(site, (suites.get(site) ?? new Set()).add(suite));
  }
  /** @type {(site: string) => number} */
  const likeness = (site) =>
    Number(suites.get(site)?.has(`${codename}-updates`)) * 2 + Number(site.endsWith("/debian"));
  const sites = [...suites.keys()].filter((site) => suites.get(site)?.has(codename));
  const site = sites.sort((a, b) => likeness(b) - likeness(a))[0];
  if (site === undefined) return null;
  const hasBackports = [...suites.values()].some((names) => names.has(`${codename}-backports`));
  return { site, hasBackports };
}

/**
 * @param {readonly { format: "sources" | "list", text: string }[]} files the machine's source files
 * @param {string} site
 * @param {string} codename
 * @param {string} suite the suite wanted, such as `bookworm-backports`
 * @returns {SourceEntry} the machine's entry for `codename` at `site`, with `suite` in its place
 */
export function entryWithSuite(files, site, codename, suite) {
  for (const { format, text } of files) {
    const found =
      format === "list" ? lineWithSuite(text, site, codename, suite) : stanzaWithSuite(text, site, codename, suite);
    if (found !== null) return { format, text: found };
  }
  return { format: "list", text: `deb [signed-by=${DEBIAN_KEYRING}] ${site} ${suite} main\n` };
}

/**
 * @param {string} text one-line entries: `deb [options] uri suite components`
 * @param {string} site
 * @param {string} codename
 * @param {string} suite
 */
function lineWithSuite(text, site, codename, suite) {
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s/.exec(`${line} `);
    if (match && sameSite(match[2] ?? "", site) && match[3] === codename) {
      return `deb ${match[1] ?? ""}${match[2]} ${suite} main\n`;
    }
  }
  return null;
}

/**
 * @param {string} text deb822 stanzas
 * @param {string} site
 * @param {string} codename
 * @param {string} suite
 */
function stanzaWithSuite(text, site, codename, suite) {
  for (const stanza of text.split(/\n\s*\n/)) {
    const fields = deb822Fields(stanza);
    const uri = words(fields.get("URIs")).find((candidate) => sameSite(candidate, site));
    if (uri === undefined || !words(fields.get("Suites")).includes(codename)) continue;
    fields.set("Types", "deb").set("URIs", uri).set("Suites", suite).set("Components", "main");
    return [...fields].map(([name, value]) => `${name}: ${value}\n`).join("");
  }
  return null;
}

/**
 * @param {string} stanza
 * @returns {Map<string, string>} values by name; continuation lines (a key written out) stay as they are
 */
function deb822Fields(stanza) {
  /** @type {Map<string, string>} */
  const fields = new Map();
  let current = "";
  for (const line of stanza.split("\n")) {
    if (line.startsWith("#")) continue;
    const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (match) {
      // Names may come in any case.
      const name = match[1] ?? "";
      current = KNOWN_FIELDS.find((known) => known.toLowerCase() === name.toLowerCase()) ?? name;
      fields.set(current, match[2] ?? "");
    } else if (current !== "" && line.trim() !== "") {
      fields.set(current, `${fields.get(current)}\n${line}`);
    }
  }
  return fields;
}

/** @param {string | undefined} value */
const words = (value) => (value ?? "").split(/\s+/).filter((word) => word !== "");

/**
 * apt writes addresses without the slashes that people add.
 *
 * @param {string} a
 * @param {string} b
 */
function sameSite(a, b) {
  /** @param {string} site */
  const bare = (site) => site.replace(/\/+$/, "").replace(/^([a-z0-9+]+):\/+/, "$1:/");
  return bare(a) === bare(b);
}

/**
 * @typedef {object} MachineSources
 * @property {string} partsFolder the folder of source files, such as /etc/apt/sources.list.d
 * @property {{ format: "sources" | "list", text: string }[]} files those that this user can read
 * @property {string} uris output of `apt-get update --print-uris`
 */

/** @returns {Promise<MachineSources>} */
export async function readMachineSources() {
  const config = await runQuietly([
    "apt-config",
    "shell",
    "LIST",
    "Dir::Etc::sourcelist/f",
    "PARTS",
    "Dir::Etc::sourceparts/d",
  ]);
  const list = /^LIST='(.*)'$/m.exec(config.stdout)?.[1] ?? "/etc/apt/sources.list";
  const partsFolder = /^PARTS='(.*)'$/m.exec(config.stdout)?.[1] ?? "/etc/apt/sources.list.d";
  const places = [list, ...entriesOf(partsFolder).map((name) => path.join(partsFolder, name))];
  /** @type {MachineSources["files"]} */
  const files = [];
  for (const place of places) {
    const format = place.endsWith(".sources") ? "sources" : "list";
    if (format === "list" && place !== list && !place.endsWith(".list")) continue;
    try {
      files.push({ format, text: readFileSync(place, "utf8") });
    } catch {
      // Missing, or with credentials that only root may read: the entry is then built from the address alone.
    }
  }
  const { stdout: uris } = await runQuietly(["apt-get", "update", "--print-uris"]);
  return { partsFolder, files, uris };
}

/** @param {string} folder */
function entriesOf(folder) {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
