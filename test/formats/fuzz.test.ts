/** Damaged files of every format, 2,000 in all; `npm run test:fuzz` tries 100,000. */

import { test } from "vitest";
import { formatNames, fuzz } from "./fuzz.ts";

test.each(formatNames)("%s", (name) => fuzz(name, 400));
