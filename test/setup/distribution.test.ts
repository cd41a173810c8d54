import { describe, expect, test } from "vitest";
import { browserRecipe, driverRecipe, parseOsRelease } from "../../scripts/setup/distribution.mjs";
import { commandsToType } from "../../scripts/setup/packages.mjs";
import { MINIMUM_NODE, nodeVersionProblem } from "../../scripts/setup/node-version.mjs";
import manifest from "../../package.json" with { type: "json" };

const APT = { kind: "apt", backports: null };
const BACKPORTS = { kind: "apt", backports: "bookworm-backports" };

describe("a distribution's driver", () => {
  test.each<[string, string, object]>([
    ["Debian 12", 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm', BACKPORTS],
    ["Debian 13", 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie', APT],
    ["Debian testing", "ID=debian\nVERSION_CODENAME=forky", APT],
    ["Debian 11", 'ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye', { kind: "other" }],
    ["Ubuntu 22.04", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy', APT],
    ["Ubuntu 24.04", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble', APT],
    ["Ubuntu 20.04", 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="20.04"', { kind: "other" }],
    ["Mint", 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\nVERSION_CODENAME=wilma', APT],
    [
      "LMDE 6",
      'ID=linuxmint\nID_LIKE=debian\nVERSION_ID="6"\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm',
      BACKPORTS,
    ],
    [
      "Fedora",
      "ID=fedora\nVERSION_ID=42",
      { kind: "other", advice: "sudo dnf install vulkan-loader mesa-vulkan-drivers" },
    ],
    ["Rocky", 'ID="rocky"\nID_LIKE="rhel centos fedora"', { kind: "other" }],
    ["Arch", "ID=arch", { kind: "other", advice: "sudo pacman -S vulkan-icd-loader vulkan-swrast" }],
    ["Alpine", "ID=alpine", { kind: "other" }],
    ["a system without os-release", "", { kind: "other" }],
  ])("%s", (_, text, recipe) => {
    expect(driverRecipe(parseOsRelease(text))).toMatchObject(recipe);
  });
});

describe("a distribution's browser", () => {
  test.each<[string, Record<string, string>, object]>([
    ["Debian", { ID: "debian" }, { kind: "apt", packages: ["chromium"], backports: null }],
    ["LMDE", { ID: "linuxmint", ID_LIKE: "debian" }, { kind: "apt", packages: ["chromium"] }],
    ["Ubuntu, whose package is a snap", { ID: "ubuntu", ID_LIKE: "debian" }, { kind: "other" }],
    ["Fedora", { ID: "fedora" }, { kind: "other", advice: "sudo dnf install chromium" }],
    ["an unknown system", {}, { kind: "other" }],
  ])("%s", (_, os, recipe) => {
    expect(browserRecipe(os)).toMatchObject(recipe);
  });
});

describe("the commands for a person", () => {
  const debian = driverRecipe({ ID: "debian", VERSION_ID: "12", VERSION_CODENAME: "bookworm" });
  const ubuntu = driverRecipe({ ID: "ubuntu", VERSION_ID: "24.04" });
  const install = "apt-get install -y --no-remove --no-install-recommends";

  test("Ubuntu, as a user and as root", () => {
    expect(commandsToType(ubuntu, null, false)).toEqual([
      "sudo apt-get update",
      `sudo ${install} libvulkan1 mesa-vulkan-drivers`,
    ]);
    expect(commandsToType(ubuntu, null, true)[0]).toBe("apt-get update");
  });

  test("Debian 12: the suite is added first, line by line", () => {
    const entry = { format: "sources" as const, text: "Types: deb\nSuites: bookworm-backports\n" };
    const site = "http://mirror.example.org/debian";
    const commands = commandsToType(debian, { suite: "bookworm-backports", site, entry, partsFolder: "" }, false);
    expect(commands).toEqual([
      "printf '%s\\n' 'Types: deb' 'Suites: bookworm-backports' | sudo tee /etc/apt/sources.list.d/bookworm-backports.sources",
      "sudo apt-get update",
      `sudo ${install} -t bookworm-backports libvulkan1 mesa-vulkan-drivers`,
    ]);
  });

  test("Debian 12 with backports configured: nothing is added", () => {
    const installation = { suite: "bookworm-backports", site: "http://m", entry: null, partsFolder: "" };
    expect(commandsToType(debian, installation, false)).toHaveLength(2);
  });
});

describe("the Node.js version", () => {
  test.each(["20.19.0", "20.19.1", "20.20.0", "22.0.0", "100.0.0", "21.0.0-nightly1"])("%s will do", (version) => {
    expect(nodeVersionProblem(version)).toBeNull();
  });
  test.each(["20.18.3", "20.9.0", "18.20.8", "8.17.0"])("%s is too old, in one line", (version) => {
    expect(nodeVersionProblem(version)).toMatch(/^Node\.js \S+: too old; install Node\.js 20\.19\.0 or newer .*$/);
  });
  test("is the one that package.json names", () => {
    expect(manifest.engines.node).toBe(`>=${MINIMUM_NODE}`);
  });
});
