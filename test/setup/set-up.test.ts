import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Checkout, type Machine } from "./checkout.ts";

let checkout: Checkout;
beforeEach(() => {
  checkout = new Checkout();
});
afterEach(() => checkout.remove());

/** The calls that change something. */
const changes = () => checkout.calls().filter((call) => !/^apt-get update --print-uris|^sudo -n true/.test(call));

const INSTALL = "install -y --no-remove --no-install-recommends";

describe("the npm dependencies", () => {
  test("are installed once, and the second start says and does nothing", async () => {
    const first = await checkout.setUp({ adapter: true });
    expect(first.stderr).toContain("set-up: npm dependencies: not installed; installing them (npm ci)\n");
    expect(first.stdout).toBe("pretended adapter\n");
    const second = await checkout.setUp();
    expect(second).toEqual({ status: 0, stdout: "pretended adapter\n", stderr: "" });
    expect(changes()).toHaveLength(1);
    expect(changes()[0]).toMatch(/^npm ci --include=dev --include=optional .*--loglevel=error$/);
  });

  test.each([
    ["the lock file changed", () => checkout.write("package-lock.json", '{"packages":{"":{}}}')],
    ["a dependency was added", () => checkout.write("package.json", '{"dependencies":{"webgpu":"2"}}')],
    ["the stamp is another machine's", () => checkout.write("node_modules/.googlenet-setup", "other")],
    ["npm was interrupted", () => checkout.write("node_modules/.googlenet-setup", "")],
  ])("are installed again where %s", async (_, change) => {
    await checkout.setUp({ adapter: true });
    change();
    expect((await checkout.setUp()).stderr).toContain("installing them (npm ci)");
    expect(changes()).toHaveLength(2);
  });

  test("where npm fails its last words are shown, and the next start tries again", async () => {
    const failed = await checkout.setUp({ env: { NPM_STATUS: "1" } });
    expect(failed).toMatchObject({ status: 1, stdout: "" });
    expect(failed.stderr).toContain(
      "set-up: npm: npm error: the pretended reason\nset-up: npm ci: exit status 1; mend",
    );
    expect(await checkout.setUp({ adapter: true })).toMatchObject({ status: 0 });
    expect(checkout.has(".setup.lock")).toBe(false);
  });

  test("are installed once where two start at the same time", async () => {
    const machine: Machine = { adapter: true, env: { NPM_SECONDS: "1" } };
    const both = await Promise.all([checkout.setUp(machine), checkout.setUp(machine)]);
    expect(both.map((run) => run.status)).toEqual([0, 0]);
    expect(both.filter((run) => run.stderr.includes("waiting for another set-up of this checkout"))).toHaveLength(1);
    expect(changes()).toHaveLength(1);
    expect(checkout.has(".setup.lock")).toBe(false);
  });
});

describe("the WebGPU adapter", () => {
  test("of a machine that has one is left alone", async () => {
    const run = await checkout.setUp({ adapter: true });
    expect(run.stderr).toContain("set-up: WebGPU adapter: pretended adapter\n");
    expect(checkout.calls().filter((call) => !call.startsWith("npm"))).toEqual([]);
  });

  test("comes from the mirror's backports on Debian 12, through sources for this one install", async () => {
    const run = await checkout.setUp();
    expect(run).toMatchObject({ status: 0, stdout: "pretended adapter\n" });
    expect(run.stderr).toContain("from bookworm-backports at http://mirror.example.org/debian)");
    const [, update, install, source] = changes();
    expect(update).toMatch(/^apt-get .*Dir::Etc::sourceparts=\S*googlenet-apt-\S+ update$/);
    expect(install).toContain(` ${INSTALL} -t bookworm-backports libvulkan1 mesa-vulkan-drivers`);
    expect(install).toContain("-o DPkg::Lock::Timeout=300");
    expect(source).toMatch(/^deb \[signed-by=\S+\] http:\/\/mirror\.example\.org\/debian bookworm-backports main$/);
    const folder = /sourceparts=\S*\/(googlenet-apt-[^/]+)\//.exec(update ?? "")?.[1];
    expect(readdirSync(tmpdir())).not.toContain(folder);
  });

  test("comes from the distribution's own packages on Ubuntu", async () => {
    await checkout.setUp({ os: { ID: "ubuntu", VERSION_ID: "24.04", ID_LIKE: "debian" } });
    const install = changes().at(-1);
    expect(install).toContain(` ${INSTALL} libvulkan1 mesa-vulkan-drivers`);
    expect(install).not.toContain("sourceparts");
  });

  test("is installed through a sudo that asks for nothing", async () => {
    expect(await checkout.setUp({ user: "sudo" })).toMatchObject({ status: 0, stdout: "pretended adapter\n" });
    expect(checkout.calls()).toContain("sudo -n true");
    expect(changes()[1]).toMatch(/^sudo -n env DEBIAN_FRONTEND=noninteractive .*apt-get .* update$/);
  });

  test.each<[string, Machine, string]>([
    ["may not", { user: "nobody" }, "neither root, nor sudo without a password"],
    ["was told not to", { env: { GOOGLENET_NO_SYSTEM_PACKAGES: "1" } }, "GOOGLENET_NO_SYSTEM_PACKAGES=1 forbids"],
    ["does not know the mirror", { uris: "" }, "apt's sources name no mirror"],
  ])("set-up that %s prints the commands and goes on", async (_, machine, why) => {
    const run = await checkout.setUp(machine);
    expect(run).toMatchObject({ status: 0, stdout: "null\n" });
    expect(run.stderr).toContain(why);
    expect(run.stderr).toMatch(
      /^ {4}printf '%s\\n' '.*bookworm-backports.*' \| (sudo )?tee \/etc\/apt\/sources\.list\.d\//m,
    );
    expect(run.stderr).toMatch(
      /^ {4}(sudo )?apt-get install .* -t bookworm-backports libvulkan1 mesa-vulkan-drivers$/m,
    );
    expect(changes()).toHaveLength(1);
  });

  test.each(["VK_DRIVER_FILES", "VK_ICD_FILENAMES"])("hidden by %s comes back by unsetting it alone", async (name) => {
    const run = await checkout.setUp({ env: { [name]: "/none" } });
    expect(run).toMatchObject({ status: 0, stdout: "null\n" });
    expect(run.stderr).toContain(`set-up: no WebGPU adapter: ${name}=/none names no Vulkan driver that works`);
    expect(run.stderr).toContain("set-up: unset it and start again; going on without a GPU\n");
    expect(run.stderr).not.toContain("apt-get");
    expect(changes()).toHaveLength(1);
  });

  test("on a system without apt gets the words for that system", async () => {
    const run = await checkout.setUp({ os: { ID: "fedora" } });
    expect(run).toMatchObject({ status: 0, stdout: "null\n" });
    expect(run.stderr).toContain("    sudo dnf install vulkan-loader mesa-vulkan-drivers\n");
  });

  test("where apt-get fails: its last words, the commands, and a new try the next time", async () => {
    const run = await checkout.setUp({ aptStatus: 100 });
    expect(run).toMatchObject({ status: 0, stdout: "null\n" });
    expect(run.stderr).toContain("set-up: apt-get install: E: the pretended reason\n");
    expect(run.stderr).toContain("apt-get install: exit status 100");
    expect(run.stderr).toContain("    apt-get update\n");
    expect(await checkout.setUp()).toMatchObject({ status: 0, stdout: "pretended adapter\n" });
  });

  test("where Dawn refuses the driver: said once, not installed again at every start", async () => {
    const run = await checkout.setUp({ driverWorks: false });
    expect(run).toMatchObject({ status: 0, stdout: "null\n" });
    expect(run.stderr).toContain("the driver is installed, but Dawn refuses Debian 12's Mesa");
    const count = changes().length;
    const again = await checkout.setUp({ driverWorks: false });
    expect(again.stderr).toContain("no WebGPU adapter, though a driver was installed; going on without a GPU");
    expect(changes()).toHaveLength(count);
  });
});

describe("the browser for tests", () => {
  test("is installed from Debian's own packages once, and left alone after that", async () => {
    const first = await checkout.ensureBrowser();
    expect(first).toMatchObject({ status: 0, stdout: "pretended chromium\n" });
    expect(first.stderr).toBe(
      "set-up: no browser for the tests of pages: installing one (chromium)\nset-up: browser: pretended chromium\n",
    );
    expect(changes().at(-1)).toMatch(new RegExp(` ${INSTALL} chromium$`));
    expect(changes().at(-1)).not.toContain("sourceparts");
    const count = checkout.calls().length;
    expect(await checkout.ensureBrowser()).toEqual({ status: 0, stdout: "pretended chromium\n", stderr: "" });
    expect(checkout.calls()).toHaveLength(count);
  });

  test.each<[string, Machine, string, string]>([
    ["may not", { user: "nobody" }, "this user may not install one", "sudo apt-get install"],
    ["was told not to", { env: { GOOGLENET_NO_SYSTEM_PACKAGES: "1" } }, "forbids installing one", "apt-get install"],
    ["has no apt", { os: { ID: "fedora" } }, "cannot install one on this system", "sudo dnf install chromium"],
    ["fails", { aptStatus: 100 }, "apt-get install: E: the pretended reason", "apt-get install"],
  ])("where set-up %s: says how, and goes on without these tests", async (_, machine, why, command) => {
    const run = await checkout.ensureBrowser(machine);
    expect(run).toMatchObject({ status: 0, stdout: "null\n" });
    expect(run.stderr).toContain(why);
    expect(run.stderr).toContain(`    ${command}`);
    expect(run.stderr).toMatch(/going on without (these tests|the tests of pages)/);
  });
});

describe("npm start", () => {
  test("leaves standard input and output to the command, and passes its exit status on", async () => {
    const run = await checkout.run(["scripts/start.mjs", "classify", "-"], {}, "a picture");
    expect(run.stdout).toBe('{"argv":["classify","-"],"stdin":"a picture"}\n');
    expect(run.status).toBe(7);
    expect(run.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("set-up: "))).toEqual([]);
  });
});
