/**
 * A checkout in a temporary folder with the real set-up scripts, and in front of the path an npm, an apt-get and a
 * sudo that only write down how they were called: what set-up decides can be watched without changing the machine.
 */
import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");

/** What the machine that the checkout stands on is like. */
export interface Machine {
  /** The user: root, one whose sudo asks for nothing, or one without sudo. */
  user?: "root" | "sudo" | "nobody";
  /** Fields of os-release. */
  os?: Record<string, string>;
  /** Whether there is an adapter before anything is installed. */
  adapter?: boolean;
  /** Whether what apt-get installs gives an adapter. */
  driverWorks?: boolean;
  /** Exit status of `apt-get install`. */
  aptStatus?: number;
  /** What `apt-get update --print-uris` prints. */
  uris?: string;
  env?: Record<string, string>;
}

export interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

export const BOOKWORM = { ID: "debian", VERSION_ID: "12", VERSION_CODENAME: "bookworm", PRETTY_NAME: "Debian 12" };

export const BOOKWORM_URIS = [
  "'http://mirror.example.org/debian/dists/bookworm/InRelease' x_InRelease 0 ",
  "'http://mirror.example.org/debian/dists/bookworm/main/binary-amd64/Packages.xz' x_Packages 0 ",
].join("\n");

/** A probe's answer depends on a file, which the pretended apt-get makes. */
const FAKE_WEBGPU = `
import { existsSync } from "node:fs";
export const globals = {};
const adapter = { info: { description: "pretended adapter" } };
export const create = () => ({ requestAdapter: async () => (existsSync(process.env.ADAPTER_FILE) ? adapter : null) });
`;

const FAKE_NPM = `#!/bin/sh
echo "npm $*" >> "$CALLS"
cat > /dev/null # would take the command's standard input, if it were given that
echo "npm chatters on standard output"
test "$NPM_STATUS" = 0 || { echo "npm error: the pretended reason" >&2; exit "$NPM_STATUS"; }
sleep "$NPM_SECONDS"
mkdir -p node_modules/webgpu
cp "$BIN/webgpu.mjs" node_modules/webgpu/index.mjs
echo '{"name":"webgpu","exports":"./index.mjs"}' > node_modules/webgpu/package.json
ln -sfn "$REPOSITORY/node_modules/tsx" node_modules/tsx
`;

const FAKE_APT_GET = `#!/bin/sh
echo "apt-get $*" >> "$CALLS"
cat > /dev/null
echo "apt-get chatters on standard output"
case "$*" in
  "update --print-uris") printf '%s\\n' "$URIS" ;;
  *install*)
    for option in "$@"; do
      case "$option" in Dir::Etc::sourceparts=*) cat "\${option#*=}"/googlenet-backports.* >> "$CALLS" ;; esac
    done
    test "$APT_STATUS" = 0 || { echo "E: the pretended reason" >&2; exit "$APT_STATUS"; }
    case "$*" in *chromium*) touch "$ADAPTER_FILE.browser"; exit 0 ;; esac
    test "$DRIVER_WORKS" = 1 && touch "$ADAPTER_FILE" ;;
esac
exit 0
`;

const FAKE_SUDO = `#!/bin/sh
echo "sudo $*" >> "$CALLS"
test "$MAY_SUDO" = 1 || exit 1
shift
exec "$@"
`;

export class Checkout {
  readonly root: string;
  readonly bin: string;

  constructor() {
    const folder = mkdtempSync(path.join(tmpdir(), "a checkout ü "));
    this.root = path.join(folder, "checkout");
    this.bin = path.join(folder, "bin");
    cpSync(path.join(REPOSITORY, "scripts"), path.join(this.root, "scripts"), { recursive: true });
    cpSync(path.join(REPOSITORY, "tsconfig.json"), path.join(this.root, "tsconfig.json"));
    mkdirSync(this.bin);
    mkdirSync(path.join(this.root, "src", "cli"), { recursive: true });
    this.write("package.json", JSON.stringify({ type: "module", dependencies: { webgpu: "1" } }));
    this.write("package-lock.json", JSON.stringify({ packages: { "": {}, "node_modules/webgpu": { version: "1" } } }));
    this.write(
      "src/cli/main.ts",
      `import { text } from "node:stream/consumers";
       export async function main(argv: string[]): Promise<number> {
         console.log(JSON.stringify({ argv, stdin: await text(process.stdin) }));
         return 7;
       }`,
    );
    writeFileSync(path.join(this.bin, "webgpu.mjs"), FAKE_WEBGPU);
    const programs = { npm: FAKE_NPM, "apt-get": FAKE_APT_GET, sudo: FAKE_SUDO };
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(path.join(this.bin, name), text);
      chmodSync(path.join(this.bin, name), 0o755);
    }
  }

  write(file: string, text: string): void {
    writeFileSync(path.join(this.root, file), text);
  }

  has(file: string): boolean {
    return existsSync(path.join(this.root, file));
  }

  /** The calls of npm, apt-get and sudo so far, a line a call. */
  calls(): string[] {
    const file = path.join(this.bin, "calls");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  /** Runs set-up alone, on a machine as described; standard output is the adapter that set-up reports. */
  setUp(machine: Machine = {}): Promise<Run> {
    const program = `
      process.getuid = () => ${machine.user === undefined || machine.user === "root" ? 0 : 1000};
      const { setUp } = await import("./scripts/setup/set-up.mjs");
      const { report } = await import("./scripts/setup/say.mjs");
      try {
        console.log(await setUp(${JSON.stringify(machine.os ?? BOOKWORM)}));
      } catch (error) {
        process.exitCode = report(error);
      }`;
    return this.run(["--input-type=module", "--eval", program], machine);
  }

  /** Runs the step for the browser; standard output is the browser's program. */
  ensureBrowser(machine: Machine = {}): Promise<Run> {
    const program = `
      import { existsSync } from "node:fs";
      process.getuid = () => ${machine.user === undefined || machine.user === "root" ? 0 : 1000};
      const { ensureBrowser } = await import("./scripts/setup/set-up.mjs");
      const find = () => (existsSync(process.env.ADAPTER_FILE + ".browser") ? "pretended chromium" : undefined);
      console.log(await ensureBrowser(${JSON.stringify(machine.os ?? BOOKWORM)}, find));`;
    return this.run(["--input-type=module", "--eval", program], machine);
  }

  run(argv: string[], machine: Machine = {}, stdin = ""): Promise<Run> {
    const adapterFile = path.join(this.bin, "adapter");
    if (machine.adapter === true) writeFileSync(adapterFile, "");
    const env: NodeJS.ProcessEnv = {
      HOME: process.env.HOME,
      PATH: `${this.bin}:${process.env.PATH ?? ""}`,
      BIN: this.bin,
      CALLS: path.join(this.bin, "calls"),
      REPOSITORY,
      ADAPTER_FILE: adapterFile,
      MAY_SUDO: machine.user === "sudo" ? "1" : "0",
      DRIVER_WORKS: machine.driverWorks === false ? "0" : "1",
      APT_STATUS: String(machine.aptStatus ?? 0),
      URIS: machine.uris ?? BOOKWORM_URIS,
      NPM_STATUS: "0",
      NPM_SECONDS: "0",
      ...machine.env,
    };
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, argv, { cwd: this.root, env });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("error", reject);
      child.on("close", (status) => resolve({ status, stdout, stderr }));
      child.stdin.end(stdin);
    });
  }

  remove(): void {
    rmSync(path.dirname(this.root), { recursive: true, force: true });
  }
}
