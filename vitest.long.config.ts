/** `npm run test:long`: the tests that take minutes to hours, which `npm test` leaves out. */
import { defineConfig } from "vitest/config";
import everyday from "./vitest.config.ts";

export default defineConfig({
  test: {
    ...everyday.test,
    include: ["test/**/*.long.test.ts"],
    exclude: [],
    testTimeout: 3_600_000,
  },
});
