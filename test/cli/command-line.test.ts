/** Command lines that are wrong whatever the files hold, help, and how a command ends that is not let finish. */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { errorLine, statusOf } from "../../src/cli/report.ts";
import { EngineError } from "../../src/errors.ts";
import { googlenet, MAIN, NO_ADAPTER, objects, weightsAreDownloaded, writeArrayFile } from "./googlenet.ts";

const folder = mkdtempSync(path.join(tmpdir(), "googlenet command-line "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ARRAY = writeArrayFile(path.join(folder, "zero.npy"), [1, 3, 224, 224], () => 0);
mkdirSync(path.join(folder, "pictures"));
writeFileSync(path.join(folder, "pictures", "a.jpg"), "");
const LABELS = path.join(folder, "labels.txt");
writeFileSync(LABELS, "a.jpg 0\n");

const COMMANDS = [
  "demo",
  "classify",
  "evaluate",
  "run",
  "verify",
  "plan",
  "bench",
  "profile",
  "devices",
  "tune",
  "weights",
];

/** Command line, and what the error line has to say. */
const WRONG: readonly [string, RegExp][] = [
  ["nonsense", /unknown command 'nonsense'/],
  ["help nonsense", /unknown command 'nonsense'/],
  ["nonsense --help", /unknown command 'nonsense'/],
  ["classify", /missing required argument 'IMAGE'/],
  ["classify x.jpg --topp 3", /unknown option '--topp'; did you mean --top\?/],
  ["classify x.jpg --top 0", /--top: .*"0"; give a whole number from 1 to 1000/],
  ["classify x.jpg --top 1.5", /--top: .*"1\.5"/],
  ["classify x.jpg --batch 0", /--batch: .*"0"; give a whole number from 1 to 4096/],
  ["classify x.jpg --batch -1", /--batch: .*"-1"/],
  ["classify x.jpg --batch 1e9", /--batch: .*"1e9"/],
  ["classify x.jpg --batch 1000000", /--batch: .*"1000000"/],
  ["classify x.jpg --resize crop", /--resize: .*; give one of squash256, squash224, short256/],
  ["classify x.jpg --backend gpu", /--backend: .*; give one of webgpu, cpu/],
  ["classify x.jpg --heads some", /--heads: .*; give one of main, all/],
  ["classify x.jpg --precision f16 --backend cpu", /--precision f16: it conflicts with --backend cpu/],
  ["classify x.jpg --precision f64", /--precision: .*; give one of f32, f16/],
  ["classify x.jpg --crops 12", /--crops: .*"12"; give 1, 10, 144/],
  ["classify x.jpg --crops 10 --resize squash224", /--resize: it conflicts with --crops 10; give one of them/],
  ["classify x.jpg --resize squash256 --crops 144", /--resize: it conflicts with --crops 144; give one of them/],
  ["classify x.jpg --memory 0", /--memory: .*"0"; give a whole number from 1 to 1000000/],
  ["classify x.jpg --memory 64 --backend cpu", /--memory: it conflicts with --backend cpu/],
  ["classify x.jpg --weights seed:1 --weights seed:x", /--weights: it can't be "seed:x"/],
  ["classify x.jpg --weights seed:x", /--weights: it can't be "seed:x"; give seed:N with N a whole number/],
  ["classify x.jpg --weights seed::", /--weights: it can't be "seed::"/],
  ["classify x.jpg --weights=", /--weights: it can't be ""; give a file, or seed:N/],
  ["classify x.jpg --adapter=", /--adapter: it can't be ""; give a part of/],
  ["classify x.jpg --backend cpu --adapter X", /--adapter: it conflicts with --backend cpu/],
  ["bench --unsafe --backend cpu", /--unsafe: it conflicts with --backend cpu; give one of them/],
  ["bench --adapter X --backend cpu", /--adapter: it conflicts with --backend cpu/],
  ["--adapter X --backend cpu", /--adapter: it conflicts with --backend cpu/],
  ["classify x.jpg --top 1 --top 2", /--top: it is given twice; give it once/],
  ["classify x.jpg --batch=1 --weights a --weights b --batch=1", /--batch: it is given twice; give it once/],
  ["plan --weights seed:1 --weights seed:2", /--weights: it is given twice; give it once/],
  ["--weights seed:1 --weights seed:2", /--weights: it is given twice; give it once/],
  ["evaluate x --labels a --labels b", /--labels: it is given twice; give it once/],
  ["bench --peers --peers all", /--peers: it is given twice; give it once/],
  ["tune --tuning x --no-tuning", /--no-tuning: it conflicts with --tuning; give one of them/],
  ["classify x.jpg --no-tuning --tuning x", /--tuning: it conflicts with --no-tuning; give one of them/],
  ["classify - -", /-: standard input is given twice; give it once/],
  ["evaluate", /evaluate: there is nothing to do; name a folder, or give --merge or --compare/],
  ["evaluate folder --merge a b", /evaluate: a folder and --merge are given; give one of them/],
  ["evaluate folder --html x --compare a b", /evaluate: a folder and --compare are given/],
  ["evaluate --merge a b --compare c d", /--compare: it conflicts with --merge; give one of them/],
  ["evaluate --compare a b --beside c", /--beside: it conflicts with --compare; give one of them/],
  ["evaluate folder --state x --html ./x", /--html: \.\/x is the file of --state; name another file for the page/],
  ["evaluate --merge a b --skip-unreadable --crops 10", /--crops: it conflicts with --merge; give one of them/],
  ["evaluate --compare a b --skip-unreadable", /--skip-unreadable: it conflicts with --compare/],
  ["evaluate --compare a", /--compare: it is given 1 result; give two/],
  ["evaluate folder --crops 10 --resize squash224", /--resize: it conflicts with --crops 10/],
  ["evaluate folder --memory 64 --backend cpu", /--memory: it conflicts with --backend cpu/],
  ["evaluate folder --synsets x.txt", /--synsets: there is no --labels whose numbers it explains; give both/],
  ["evaluate folder --shard 3/2", /--shard: it can't be "3\/2"; give I\/N/],
  ["evaluate folder --shard 0/2", /--shard: .*"0\/2"/],
  ["evaluate folder --shard 2", /--shard: .*"2"/],
  ["evaluate folder --heads all", /unknown option '--heads'/],
  ["run googlenet --output prob=x.npy", /run: it has no input/],
  ["run googlenet --input data=x.npy", /run: there is nothing to do; add --output/],
  ["run googlenet --input data --output prob=x.npy", /--input: .*"data"; give NAME=FILE\.npy/],
  ["run googlenet --input data=- --output prob=x.npy", /--input data=-: .*; name a file \(\.\/- is one/],
  ["run googlenet --input data=x.npy --output prob=-", /--output prob=-: .*; name a file \(\.\/- is one/],
  ["run googlenet --input datum=x.npy --output prob=x.npy", /--input datum: googlenet has no such input; give data/],
  ["run googlenet --input data=x.npy --input data=y.npy --output prob=x.npy", /--input data: it is given twice/],
  ["run googlenet --input data=x.npy --output prob=y.npy --output data=y.npy", /two blobs would go into the same file/],
  [
    "run googlenet --input data=x.npy --output prob=y.npy --output data=./y.npy",
    /two blobs would go into the same file/,
  ],
  [
    "run googlenet --input data=x.npy --output inception_3a/3x3_redduce=y.npy",
    /blob "inception_3a\/3x3_redduce": googlenet has none; near ones are inception_3a\/3x3_reduce,/,
  ],
  ["run googlenet --input data=x.npy --output loss1/prob=y.npy", /auxiliary head; add --heads all/],
  ["verify --backend cpu", /--backend cpu: .*; add --against DIR or --write DIR/],
  ["verify --image x.jpg --input data=x.npy", /--image: it conflicts with --input/],
  ["verify --batch 2 --input data=x.npy", /--batch: it conflicts with --input/],
  ["plan --backend cpu", /--backend cpu: the CPU reference runs without a plan; leave it out/],
  ["plan extra", /plan extra: there is no such model; give googlenet, or a model file/],
  ["plan googlenet extra", /too many arguments/],
  ["bench --runs 0", /--runs: .*"0"/],
  ["bench --seconds none", /--seconds: .*"none"/],
  ["bench --batch 1,0", /--batch: .*"0"/],
  ["profile --html", /option '--html <FILE>' argument missing/],
  ["profile --backend cpu", /--backend cpu: only a GPU has timestamps/],
  ["profile --backend gpu", /--backend: it can't be "gpu"; give webgpu/],
  ["devices --nope", /unknown option '--nope'/],
  ["weights", /weights: there is nothing to do; give fetch, info FILE or convert IN OUT/],
  ["weights nope", /weights: there is no command "nope"/],
  ["weights info", /missing required argument 'FILE'/],
  ["weights fetch nope", /weights nope: the manifest has none of that name; give bvlc_googlenet/],
  ["--jsonn", /unknown option '--jsonn'/],
];

describe("a wrong command line gives status 2, one line, and nothing on standard output", () => {
  test.concurrent.each(WRONG)("%s", async (line, says) => {
    const { status, stdout, stderr } = await googlenet(line.split(" "));
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    const error = stderr.replace(/^.* passed over\n/, "");
    expect(error).toMatch(/^googlenet: [^\n]+: [^\n]+; [^\n]+\n$/);
    expect(error).toMatch(says);
  });
});

describe("help", () => {
  test.concurrent.each([...COMMANDS, "weights fetch", "weights info", "weights convert"])(
    "%s --help shows what it takes and an example",
    async (command) => {
      const { status, stdout, stderr } = await googlenet([...command.split(" "), "--help"]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain(`Usage: googlenet ${command}`);
      expect(stdout).toContain("\n  $ googlenet");
    },
  );

  test("offers no value that is yet to come, and says what is checked and what is repeatable", async () => {
    const { stdout } = await googlenet(["classify", "--help"]);
    expect(stdout).toContain("--precision <TYPE>");
    expect(stdout).toMatch(/f32, f16/);
    expect(stdout.replace(/\s+/g, " ")).toMatch(/--weights <FILE\|seed:N> .+ given several times, models whose/);
    const run = (await googlenet(["run", "--help"])).stdout.replace(/\s+/g, " ");
    expect(run).toMatch(/--input <NAME=FILE\.npy> an input \(repeatable\).*--output <NAME=FILE\.npy> .*\(repeatable\)/);
    const verify = (await googlenet(["verify", "--help"])).stdout.replace(/\s+/g, " ");
    expect(verify).toContain("default: 1; another batch runs by another plan");
  });

  test.each([
    ["plan", "plan by default, whatever was tuned"],
    ["profile", "plan by default, whatever was tuned"],
    ["tune", "keep nothing: show what is fastest, and no more"],
  ])("%s --help offers what it takes alone, and says what it does", async (command, noTuning) => {
    const help = (await googlenet([command, "--help"])).stdout.replace(/\s+/g, " ");
    expect(help).toContain("--backend <NAME> what computes: webgpu --adapter");
    expect(help).toContain(`--no-tuning ${noTuning} `);
  });

  test("--help names every command, and --version the package's", async () => {
    const help = await googlenet(["--help"]);
    for (const command of COMMANDS) expect(help.stdout).toMatch(new RegExp(`^ +${command}\\b`, "m"));
    expect((await googlenet(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("failures", () => {
  test("show a stack trace with DEBUG=googlenet, and only then", async () => {
    const plain = await googlenet(["weights", "info", "/nonexistent"]);
    expect(plain.status).toBe(1);
    expect(plain.stderr).toMatch(/^googlenet: \/nonexistent: [^\n]+\n$/);
    const debugging = await googlenet(["weights", "info", "/nonexistent"], { env: { DEBUG: "googlenet" } });
    expect(debugging.stderr).toMatch(/^googlenet: \/nonexistent: .*\n.*\n +at /);
  });

  test("say so where standard output can't be written", () => {
    const full = openSync("/dev/full", "w");
    for (const argv of [["plan", "--weights", "seed:1"], ["--help"]]) {
      const child = spawnSync(process.execPath, ["--import", "tsx", MAIN, ...argv], {
        env: { ...process.env, ...NO_ADAPTER },
        cwd: path.resolve(import.meta.dirname, "../.."),
        stdio: ["ignore", full, "pipe"],
        encoding: "utf8",
      });
      expect(child.status).toBe(1);
      expect(child.stderr).toMatch(/googlenet: standard output: the disk is full; /);
    }
    closeSync(full);
  });

  test("are silent where nobody reads any more", async () => {
    const argv = ["plan", "--weights", "seed:1", "--json"];
    const { status, stderr } = await googlenet(argv, { closeEarly: true, env: NO_ADAPTER });
    const note = "planned for the limits of WebGPU's defaults (there is no adapter)\n";
    expect({ status, stderr }).toEqual({ status: 0, stderr: note });
  });

  test("of memory, and unforeseen ones, are lines as well", () => {
    const memory = new RangeError("Array buffer allocation failed");
    expect(errorLine(memory)).toBe("googlenet: memory: there is not enough of it; use a smaller batch or input");
    expect(statusOf(memory)).toBe(1);
    expect(errorLine(new TypeError("x is not a function"))).toMatch(
      /^googlenet: internal error: x is not a function; /,
    );
    expect(errorLine(new EngineError("picture", "a\u001b[2Jb", "bad\nname", "c"))).toBe(
      "googlenet: a [2Jb: bad name; c",
    );
  });

  test.skipIf(weightsAreDownloaded)("classify without trained weights says how to get them", async () => {
    const { status, stdout, stderr } = await googlenet(["classify", "assets/clock.svg"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/trained weights: there are none; .*googlenet weights fetch.*GOOGLENET_WEIGHTS.*seed:1/);
  });
});

describe("a model that can't be used gets its line with --json", () => {
  const weights = path.join(folder, "none.safetensors");
  test.concurrent.each([
    ["--json"],
    ["classify", "assets/clock.svg", "--json"],
    ["plan", "--json"],
    ["bench", "--json"],
    ["verify", "--json"],
    ["profile", "--json"],
    ["tune", "--json", "--no-tuning"],
    ["evaluate", path.join(folder, "pictures"), "--json", "--labels", LABELS],
    ["run", "googlenet", "--input", `data=${ARRAY}`, "--output", `prob=${ARRAY}.out`, "--json"],
  ])("%s %s", async (...argv) => {
    const { status, stdout, stderr } = await googlenet(argv, { env: { GOOGLENET_WEIGHTS: weights } });
    const [line, ...others] = objects(stdout);
    expect({ status, model: line["model"], others }).toEqual({ status: 1, model: "googlenet", others: [] });
    expect(line["error"]).toMatch(/none\.safetensors: there is no such file; /);
    expect(stderr).toBe(`googlenet: ${String(line["error"])}\n`);
  });

  test("by the name of a file of weights", async () => {
    const { status, stdout } = await googlenet(["weights", "info", "none", "--json"], { cwd: folder });
    expect({ status, lines: objects(stdout) }).toMatchObject({ status: 1, lines: [{ model: "none" }] });
  });
});

test("what is repeated to no effect, or is a list, may be repeated", async () => {
  const argv = ["plan", "--weights", "seed:1", "--json", "--json", "--no-tuning", "--no-tuning"];
  expect((await googlenet(argv, { env: NO_ADAPTER })).status).toBe(0);
  const several = ["classify", "none.jpg", "--weights", "seed:1", "--weights", "seed:2"];
  expect((await googlenet(several)).stderr).toBe("googlenet: none.jpg: there is no such file; check the path\n");
});

test("a file in the place of a folder is said to be one", async () => {
  const argv = ["--weights", "seed:1", "--backend", "cpu"];
  const written = await googlenet(["verify", "--write", ARRAY, ...argv]);
  expect(written.status).toBe(1);
  expect(written.stderr).toContain(`${ARRAY}: cannot be made: it is a file; name a folder\n`);
  const against = await googlenet(["verify", "--against", ARRAY, ...argv]);
  expect(against.status).toBe(1);
  expect(against.stderr).toContain(`${ARRAY}: cannot be read: it is not a folder; name a folder\n`);
  const tuned = await googlenet(["tune", "--tuning", ARRAY, "--weights", "seed:1"]);
  expect(tuned.status).toBe(1);
  expect(tuned.stderr).toMatch(/^googlenet: .*: it is a file; name a folder\n$/);
});

test("SIGTERM ends a command with status 143", async () => {
  const { status, stdout, stderr } = await googlenet(["bench", "--backend", "cpu", "--weights", "seed:1"], {
    onStart: (child) => setTimeout(() => child.kill("SIGTERM"), 2500),
  });
  expect({ status, stdout, stderr }).toEqual({ status: 143, stdout: "", stderr: "" });
});

test("Ctrl-C ends a command with status 130 before it is done, and nothing more is said", async () => {
  const start = performance.now();
  const call = googlenet(["bench", "--backend", "cpu", "--weights", "seed:1", "--runs", "100"], {
    onStart: (child) => setTimeout(() => child.kill("SIGINT"), 2500),
  });
  const { status, stdout, stderr } = await call;
  expect({ status, stdout, stderr }).toEqual({ status: 130, stdout: "", stderr: "" });
  expect(performance.now() - start).toBeLessThan(20_000);
});
