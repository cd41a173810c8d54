/** deploy/: its command lines run as their schedulers would, on a stand-in for the engine. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { manifests, REPOSITORY } from "./manifests.ts";

const deploy = path.join(REPOSITORY, "deploy");
const PICTURES = [...Array.from({ length: 10 }, (_, index) => `picture ${index}.jpg`), "broken.jpg"];

let folder: string;
let results: string;
/** Programs that the container and Slurm have. */
let programs: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "googlenet-deploy-"));
  mkdirSync(path.join(folder, "data/pictures"), { recursive: true });
  for (const name of PICTURES) writeFileSync(path.join(folder, "data/pictures", name), "");
  programs = path.join(folder, "bin");
  mkdirSync(programs);
  symlinkSync(path.join(import.meta.dirname, "googlenet-stub.mjs"), path.join(programs, "googlenet"));
  for (const name of ["evaluate-shard", "merge-shards"]) {
    symlinkSync(path.join(deploy, `${name}.sh`), path.join(programs, name));
  }
  const program = (name: string, text: string) => {
    writeFileSync(path.join(programs, name), `#!/bin/sh\n${text}\n`);
    chmodSync(path.join(programs, name), 0o755);
  };
  program("scontrol", 'echo "$@" >>"$RESULTS/scontrol"');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  results = mkdtempSync(path.join(folder, "results-"));
});

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with nothing of this environment but Node.js and the tools of a system. */
function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onStart?: (child: ChildProcess) => void,
) {
  const system = [programs, path.dirname(process.execPath), "/usr/bin", "/bin"].join(":");
  const child = spawn(argv[0], argv.slice(1), {
    env: { PATH: system, STUB_MS: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  onStart?.(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}

const shard = (index: string, ...more: string[]) => [
  path.join(deploy, "evaluate-shard.sh"),
  ...[index, path.join(folder, "data/pictures"), results, ...more],
];

const written = (name: string) => path.join(results, name);
const lastObject = (name: string) =>
  JSON.parse(readFileSync(written(name), "utf8").trim().split("\n").at(-1)!) as Record<string, unknown>;

/** Waits until a shard has that many pictures in its state. */
async function progress(name: string, pictures: number): Promise<void> {
  for (;;) {
    if (existsSync(written(name)) && readFileSync(written(name), "utf8").split("\n").length > pictures) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a shard", () => {
  test("hands its options on, and leaves its state and what it printed", async () => {
    const { status, stdout } = await run(shard("2/3", "--labels", "val 1.txt", "--crops", "10"));
    expect([status, stdout]).toEqual([0, ""]);
    expect(lastObject("2-of-3.json")).toMatchObject({
      images: 4,
      argv: [
        ...[path.join(folder, "data/pictures"), "--shard", "2/3", "--state", written("2-of-3.state")],
        ...["--json", "--labels", "val 1.txt", "--crops", "10"],
      ],
    });
    expect(readdirSync(results).sort()).toEqual(["2-of-3.json", "2-of-3.state"]);
    expect(statSync(written("2-of-3.json")).mode).toBe(statSync(written("2-of-3.state")).mode);
  });

  test("is whole where a picture can't be read, for no retry would mend it", async () => {
    expect((await run(shard("1/1"))).status).toBe(0);
    expect(lastObject("1-of-1.json")).toMatchObject({ images: 11, unreadable: 1 });
  });

  test("is not whole where the engine fails, and says so", async () => {
    expect((await run(shard("1/2"), { STUB_FAILS: "1" })).status).toBe(1);
    expect(existsSync(written("1-of-2.json"))).toBe(false);
    // The next try.
    expect((await run(shard("1/2"))).status).toBe(0);
    expect(lastObject("1-of-2.json")).toMatchObject({ images: 6 });
  });

  test("that there is not is a wrong command line", async () => {
    expect((await run(shard("4/3"))).status).toBe(2);
    for (const index of ["1", "/3", "1/", "1/2/3", "../../x", "a/b"]) {
      const { status, stderr } = await run(shard(index));
      expect([status, stderr]).toEqual([2, expect.stringContaining("is not I/N")]);
    }
    expect((await run([path.join(deploy, "evaluate-shard.sh"), "1/2"])).status).toBe(2);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("hands %s on, and goes on from its state", async (signal) => {
    let child: ChildProcess;
    const ended = run(shard("1/1"), { STUB_MS: "200" }, (started) => {
      child = started;
    });
    await progress("1-of-1.state", 2);
    child!.kill(signal);
    expect(await ended).toMatchObject({ status: 143 });
    const kept = readFileSync(written("1-of-1.state"), "utf8");
    expect(kept).not.toContain("whole");
    expect((await run(shard("1/1"))).status).toBe(0);
    expect(readFileSync(written("1-of-1.state"), "utf8").startsWith(kept)).toBe(true);
    expect(lastObject("1-of-1.json")).toMatchObject({ images: 11 });
  });
});

describe("merging", () => {
  const merge = (env: Readonly<Record<string, string>> = {}, ...more: string[]) =>
    run([path.join(deploy, "merge-shards.sh"), "1", results, ...more], env);

  test("draws a page once, and leaves nothing else", async () => {
    await run(shard("1/1"));
    const html = written("page.html");
    expect(await merge({}, "--html", html)).toMatchObject({ status: 0, stdout: "pictures: 11\n" });
    expect(readFileSync(html, "utf8")).toBe("a page\n");
    expect(readdirSync(results).sort()).toEqual(["1-of-1.json", "1-of-1.state", "page.html", "whole.json"]);
  });

  test("fails where the page, or what people read, does", async () => {
    await run(shard("1/1"));
    expect(await merge({ STUB_NO_PAGE: "1" }, "--html", written("page.html"))).toMatchObject({ status: 1 });
    expect(await merge({ STUB_FAILS: "1" })).toMatchObject({ status: 1, stdout: "" });
    expect((await merge()).status).toBe(0);
  });
});

describe("the Kubernetes Job", () => {
  /** A container's command line as a process, with its volumes elsewhere. */
  function pod(file: string, env: Readonly<Record<string, string>>, onStart?: (child: ChildProcess) => void) {
    const [{ spec }] = manifests(readFileSync(path.join(deploy, "kubernetes", file), "utf8"));
    const [container] = spec.template.spec.containers;
    const line = container.args.map((each) =>
      each.replaceAll("/data/", `${folder}/data/`).replace("/results", results),
    );
    const own = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
    return run([...container.command, ...line], { ...own, ...env }, onStart);
  }
  const SHARDS = { SHARDS: "3" };

  test("takes every picture once, one pod killed and started again, and merges to the whole", async () => {
    let victim: ChildProcess;
    const pods = [0, 1, 2].map((index) =>
      pod("evaluate.yaml", { ...SHARDS, JOB_COMPLETION_INDEX: String(index), STUB_MS: "200" }, (child) => {
        if (index === 1) victim = child;
      }),
    );
    await progress("2-of-3.state", 1);
    // All of the pod, as with a node.
    process.kill(-victim!.pid!, "SIGKILL");
    expect((await Promise.all(pods)).map(({ status, signal }) => status ?? signal)).toEqual([0, "SIGKILL", 0]);
    expect(await pod("merge.yaml", SHARDS)).toMatchObject({ status: 1, stdout: "" });
    expect(existsSync(written("whole.json"))).toBe(false);

    expect(await pod("evaluate.yaml", { ...SHARDS, JOB_COMPLETION_INDEX: "1" })).toMatchObject({ status: 0 });
    expect(await pod("merge.yaml", SHARDS)).toMatchObject({ status: 0, stdout: "pictures: 11\n" });
    expect(lastObject("whole.json")).toMatchObject({ images: 11, unreadable: 1 });
    const images = readFileSync(written("whole.json"), "utf8").match(/"image":"[^"]*"/g);
    expect(images).toEqual([...PICTURES].sort().map((name) => `"image":"${name}"`));
  });

  test("passes labels and crops on", async () => {
    expect((await pod("evaluate.yaml", { ...SHARDS, JOB_COMPLETION_INDEX: "2" })).status).toBe(0);
    const { argv } = lastObject("3-of-3.json") as { argv: string[] };
    expect(argv.slice(-4)).toEqual(["--labels", `${folder}/data/val.txt`, "--crops", "10"]);
  });

  test("ends with 2, which is not tried again, where there are more pods than shards", async () => {
    expect((await pod("evaluate.yaml", { ...SHARDS, JOB_COMPLETION_INDEX: "3" })).status).toBe(2);
  });
});

describe("the Slurm array", () => {
  const settings = () => ({
    ...{ PICTURES: path.join(folder, "data/pictures"), RESULTS: results, SHARDS: "2" },
    ...{ SLURM_ARRAY_JOB_ID: "77", SLURM_SUBMIT_DIR: REPOSITORY },
  });
  const task = (index: number, env: Readonly<Record<string, string>> = {}, onStart?: (child: ChildProcess) => void) =>
    run(
      ["bash", path.join(deploy, "slurm/evaluate.sh"), "--labels", "val.txt"],
      { ...settings(), SLURM_ARRAY_TASK_ID: String(index), ...env },
      onStart,
    );

  test("takes a shard a task, and merges", async () => {
    expect((await Promise.all([task(1), task(2)])).map(({ status }) => status)).toEqual([0, 0]);
    expect(lastObject("2-of-2.json")["argv"]).toContain("2/2");
    const merged = await run(["bash", path.join(deploy, "slurm/merge.sh")], settings());
    expect(merged).toMatchObject({ status: 0, stdout: "pictures: 11\n" });
  });

  test("stops when its time is nearly over, queues itself again, and goes on then", async () => {
    let child: ChildProcess;
    const ended = task(1, { STUB_MS: "200" }, (started) => {
      child = started;
    });
    await progress("1-of-2.state", 1);
    child!.kill("SIGUSR1");
    expect((await ended).status).toBe(0);
    expect(readFileSync(written("scontrol"), "utf8")).toBe("requeue 77_1\n");
    expect(existsSync(written("1-of-2.json"))).toBe(false);
    const kept = readFileSync(written("1-of-2.state"), "utf8");
    expect((await task(1)).status).toBe(0);
    expect(readFileSync(written("1-of-2.state"), "utf8").startsWith(kept)).toBe(true);
  });

  test("fails with its shard, so that nothing is merged", async () => {
    expect((await task(1, { STUB_FAILS: "1" })).status).toBe(1);
    expect((await task(3)).status).toBe(2);
  });

  test("says what it needs", async () => {
    const { status, stderr } = await run(["bash", path.join(deploy, "slurm/evaluate.sh")], {
      SLURM_ARRAY_TASK_ID: "1",
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain("PICTURES: the folder of pictures");
  });
});

describe("scripts", () => {
  const scripts = ["evaluate-shard.sh", "merge-shards.sh", "slurm/evaluate.sh", "slurm/merge.sh"];
  const shellcheck = ["/usr/bin/shellcheck", "/usr/local/bin/shellcheck"].find((file) => existsSync(file));

  test.skipIf(shellcheck === undefined)("pass shellcheck, where it is installed", () => {
    execFileSync(shellcheck!, scripts, { cwd: deploy, encoding: "utf8" });
  });

  test.each(scripts)("%s can be run", (name) => {
    execFileSync("test", ["-x", path.join(deploy, name)]);
  });
});
