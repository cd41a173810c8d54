/** 100,000 damaged files: `npm run test:fuzz`, for the night. */

import { test } from "vitest";
import { formatNames, fuzz } from "./fuzz.ts";

test.each(formatNames)("%s", (name) => fuzz(name, 20_000));
