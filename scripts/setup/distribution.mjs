/** Which Linux this is, and how its users get a software Vulkan driver that Dawn accepts, and a browser for tests. */
import { readFileSync } from "node:fs";

/** Mesa's lavapipe and the loader that finds it; the same names on Debian and Ubuntu. */
export const DRIVER_PACKAGES = ["libvulkan1", "mesa-vulkan-drivers"];
const BROWSER_PACKAGES = ["chromium"];

/**
 * @typedef {object} Recipe
 * @property {"apt" | "other"} kind `apt`: set-up can do it; `other`: it can only say what to do
 * @property {readonly string[]} packages
 * @property {string | null} backports the suite that the packages come from, where the distribution's own are refused
 * @property {string} advice for people, where set-up does not do it
 */

/**
 * @param {string} text contents of os-release(5)
 * @returns {Record<string, string>}
 */
export function parseOsRelease(text) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of text.split("\n")) {
    const match = /^([A-Z_0-9]+)=(.*)$/.exec(line.trim());
    if (match) fields[match[1] ?? ""] = (match[2] ?? "").replace(/^(["'])(.*)\1$/, "$2");
  }
  return fields;
}

/** @returns {Record<string, string>} empty where the system has no os-release */
export function readOsRelease() {
  for (const file of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return parseOsRelease(readFileSync(file, "utf8"));
    } catch {
      // The other place, then.
    }
  }
  return {};
}

/**
 * @param {Record<string, string>} os
 * @returns {Recipe}
 */
export function driverRecipe(os) {
  const family = [os["ID"], ...(os["ID_LIKE"] ?? "").split(" ")];
  const codename = os["DEBIAN_CODENAME"] ?? os["VERSION_CODENAME"];
  const version = Number(os["VERSION_ID"]);
  if (family.includes("ubuntu")) {
    if (os["ID"] === "ubuntu" && version < 22) return other("upgrade to Ubuntu 22.04 or newer");
    return apt(DRIVER_PACKAGES, null);
  }
  if (family.includes("debian")) {
    if (os["ID"] === "debian" && version < 12) return other("upgrade to Debian 12 or newer");
    // Dawn refuses bookworm's own Mesa 22.3: it lacks shaderUniform*ArrayDynamicIndexing.
    return apt(DRIVER_PACKAGES, codename === "bookworm" ? "bookworm-backports" : null);
  }
  if (family.includes("fedora")) return other("sudo dnf install vulkan-loader mesa-vulkan-drivers");
  if (family.includes("arch")) return other("sudo pacman -S vulkan-icd-loader vulkan-swrast");
  if (family.includes("suse") || family.includes("opensuse"))
    return other("sudo zypper install libvulkan1 libvulkan_lvp");
  return other("install the Vulkan loader (libvulkan.so.1) and Mesa's lavapipe driver, 23.2 or newer");
}

/**
 * @param {Record<string, string>} os
 * @returns {Recipe}
 */
export function browserRecipe(os) {
  const family = [os["ID"], ...(os["ID_LIKE"] ?? "").split(" ")];
  // Ubuntu's package only fetches a snap, which runs neither in containers nor without snapd.
  if (family.includes("ubuntu")) return other("install Google Chrome, whose package is on https://google.com/chrome");
  if (family.includes("debian")) return apt(BROWSER_PACKAGES, null);
  if (family.includes("fedora")) return other("sudo dnf install chromium");
  if (family.includes("arch")) return other("sudo pacman -S chromium");
  if (family.includes("suse") || family.includes("opensuse")) return other("sudo zypper install chromium");
  return other("install Chromium or Google Chrome");
}

/**
 * @param {readonly string[]} packages
 * @param {string | null} backports
 * @returns {Recipe}
 */
function apt(packages, backports) {
  return { kind: "apt", packages, backports, advice: "" };
}

/**
 * @param {string} advice
 * @returns {Recipe}
 */
function other(advice) {
  return { kind: "other", packages: [], backports: null, advice };
}
