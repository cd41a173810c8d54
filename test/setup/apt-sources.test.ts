import { describe, expect, test } from "vitest";
import { debianArchive, entryWithSuite } from "../../scripts/setup/apt-sources.mjs";

/** As `apt-get update --print-uris` prints a suite. */
const uris = (site: string, suite: string, component = "main") =>
  `'${site}/dists/${suite}/InRelease' x_InRelease 0 \n` +
  `'${site}/dists/${suite}/${component}/binary-amd64/Packages.xz' x_Packages 0 \n`;

const MIRROR = "http://mirror.example.org/debian";

describe("Debian's archive among apt's sources", () => {
  test.each<[string, string, object | null]>([
    ["a mirror", uris(MIRROR, "bookworm"), { site: MIRROR, hasBackports: false }],
    [
      "not the security archive or another vendor's",
      uris(`${MIRROR}-security`, "bookworm-security") +
        uris("https://vendor.example.com/linux/debian", "bookworm", "stable") +
        uris("https://apt.example.com/tool", "bookworm") +
        uris("http://10.0.0.1/mirror", "bookworm") +
        uris("http://10.0.0.1/mirror", "bookworm-updates"),
      { site: "http://10.0.0.1/mirror", hasBackports: false },
    ],
    [
      "by its path where no suite tells",
      uris("https://apt.example.com/tool", "bookworm") + uris(MIRROR, "bookworm"),
      { site: MIRROR, hasBackports: false },
    ],
    [
      "with backports",
      uris(MIRROR, "bookworm") + uris(MIRROR, "bookworm-backports"),
      { site: MIRROR, hasBackports: true },
    ],
    ["a list of mirrors", uris("mirror+file:/etc/apt/mirrors/debian.list", "bookworm"), { hasBackports: false }],
    ["another release", uris(MIRROR, "trixie"), null],
    ["nothing", "E: no sources\n", null],
  ])("%s", (_, text, archive) => {
    const found = debianArchive(text, "bookworm");
    if (archive === null) expect(found).toBeNull();
    else expect(found).toMatchObject(archive);
  });
});

describe("the machine's own entry with another suite", () => {
  const entry = (format: "list" | "sources", text: string, site = MIRROR) =>
    entryWithSuite([{ format, text }], site, "bookworm", "bookworm-backports");

  test("a line keeps its options", () => {
    const text = `# deb ${MIRROR}/ bookworm main\ndeb-src ${MIRROR} bookworm main\ndeb [trusted=yes arch=amd64] ${MIRROR}/ bookworm main contrib\n`;
    expect(entry("list", text)).toEqual({
      format: "list",
      text: `deb [trusted=yes arch=amd64] ${MIRROR}/ bookworm-backports main\n`,
    });
  });

  test("a stanza keeps its key, on however many lines, and no other address or suite", () => {
    const text = [
      "Types: deb",
      "URIs: http://other.example.org/debian",
      "Suites: bookworm-security",
      "",
      "# a comment",
      "types: deb deb-src",
      `URIs: http://a.example.org ${MIRROR}/`,
      "Suites: bookworm bookworm-updates",
      "Components: main non-free-firmware",
      "Signed-By:",
      " -----BEGIN PGP PUBLIC KEY BLOCK-----",
      " .",
      " mQINBF",
    ].join("\n");
    expect(entry("sources", text)).toEqual({
      format: "sources",
      text: `Types: deb\nURIs: ${MIRROR}/\nSuites: bookworm-backports\nComponents: main\nSigned-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n`,
    });
  });

  test("a list of mirrors is found however many slashes it has", () => {
    const text = "deb mirror+file:///etc/apt/mirrors/debian.list bookworm main";
    expect(entry("list", text, "mirror+file:/etc/apt/mirrors/debian.list").text).toBe(
      "deb mirror+file:///etc/apt/mirrors/debian.list bookworm-backports main\n",
    );
  });

  test("without such an entry it is made from the address and Debian's keyring", () => {
    expect(entry("list", "").text).toMatch(
      /^deb \[signed-by=\S+debian-archive-keyring\.gpg\] \S+ bookworm-backports main\n$/,
    );
  });
});
