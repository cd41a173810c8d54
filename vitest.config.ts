import { configDefaults, defineConfig } from "vitest/config";
import CountReporter from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // What takes minutes: `npm run test:long`, vitest.long.config.ts.
    exclude: [...configDefaults.exclude, "test/**/*.long.test.ts"],
    // A process a file: a driver that crashes takes one file with it, and Dawn is not shared between threads.
    // lavapipe itself works on every core, so two files at once fill a machine.
    pool: "forks",
    maxWorkers: 2,
    // Software drivers compile and run the whole network in seconds, not milliseconds.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    reporters: ["default", new CountReporter()],
  },
});
