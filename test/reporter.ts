/**
 * The last lines of a test run: what was left out and why, so that nothing passes silently, and a line
 * `N passed, N failed, N skipped` that scripts can count.
 */
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** Why a test was skipped that doesn't say so itself, told from its full name: tests that need something name it. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/no Chromium/, "no Chromium: install one, or set GOOGLENET_CHROMIUM"],
  [/GOOGLENET_WEIGHTS|trained weights/i, "no trained weights: set GOOGLENET_WEIGHTS"],
  [/GOOGLENET_PHOTOS|photograph/i, "no photographs: set GOOGLENET_PHOTOS"],
];

/** Tests that a run without GPU tests leaves out. */
const NEEDS_GPU = /GOOGLENET_SKIP_GPU_TESTS|adapter|gpu/i;

const OTHER_REASON = "skipped by the test itself";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** Full names (`file > suite > test`) of the tests left out, by the reason. */
  leftOut: Map<string, string[]>;
}

/**
 * @param note - what the test itself said when it was skipped
 * @param withoutGpu - whether the run leaves GPU tests out
 * @returns the reason: the test's own, or that which its full name tells.
 */
export function reasonForSkipping(fullName: string, note: string | undefined, withoutGpu: boolean): string {
  const reason = note ?? REASONS.find(([pattern]) => pattern.test(fullName))?.[1];
  return reason ?? (withoutGpu && NEEDS_GPU.test(fullName) ? "GOOGLENET_SKIP_GPU_TESTS is set" : OTHER_REASON);
}

/** @returns the lines that end the run. */
export function summaryLines(counts: Counts): string[] {
  const lines: string[] = [];
  for (const [reason, names] of counts.leftOut) {
    lines.push(`left out (${reason}): ${names.length} ${names.length === 1 ? "test" : "tests"}:`);
    lines.push(...names.map((name) => `  ${name}`));
  }
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  lines.push(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  return lines;
}

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    // An error outside every test fails the run, so it counts as a failure.
    const counts: Counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, leftOut: new Map() };
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") counts.passed++;
        else if (result.state === "failed") failedTests++;
        else {
          const name = `${module.relativeModuleId} > ${test.fullName}`;
          const note = result.state === "skipped" ? result.note : undefined;
          const reason = reasonForSkipping(name, note, process.env.GOOGLENET_SKIP_GPU_TESTS === "1");
          counts.skipped++;
          counts.leftOut.set(reason, [...(counts.leftOut.get(reason) ?? []), name]);
        }
      }
      // A file that did not load, or a hook that threw, fails without a failed test.
      counts.failed += failedTests === 0 && !module.ok() ? 1 : failedTests;
    }
    process.stdout.write(`\n${summaryLines(counts).join("\n")}\n`);
  }
}
