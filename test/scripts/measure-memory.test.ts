import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../scripts/measure-memory.mjs", import.meta.url));

/** Runs the script without a network. */
function measure(...argv: string[]): Promise<{ status: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, "--engine", "stub", ...argv], (error, stdout, stderr) => {
      resolve({ status: error?.code ?? 0, output: stdout + stderr });
    });
  });
}

// The pictures' pixels alone are 140 KB on average, their tensors 600 KB each: were they kept, 800 more of them would
// be over 110 MB, and the process has some 170 MB.
test("classifying many pictures takes no more memory than classifying some", async () => {
  const { status, output } = await measure("--few", "200", "--many", "1000", "--limit", "30");
  expect(output).toMatch(/^200 pictures: \d+\.\d MB\n1000 pictures: \d+\.\d MB\ndifference: /m);
  expect(status, output).toBe(0);
});

test("growth beyond the limit is a failure", async () => {
  const { status, output } = await measure("--few", "1", "--many", "40", "--limit", "0.001");
  expect(output).toMatch(/^difference: \d/m);
  expect(status).toBe(1);
});

test.each([["--few", "10", "--many", "10"], ["--engine", "gpu"], ["--nonsense"]])("refuses %s %s", async (...argv) => {
  const { status, output } = await measure(...argv);
  expect(status).toBe(2);
  expect(output).toMatch(/^usage: /);
});
