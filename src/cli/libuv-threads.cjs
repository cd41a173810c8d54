/**
 * Lets libuv, whose threads decompress pictures and read files, use the whole machine: it has four unless told before
 * its first use. Modules are read by these very threads, so that this is none, and is loaded before any.
 */
"use strict";
const os = require("node:os");

if (!process.env.UV_THREADPOOL_SIZE) {
  // Set-up has to say that Node.js is too old where it is, and not fail here.
  const parallelism = os.availableParallelism ? os.availableParallelism() : os.cpus().length;
  process.env.UV_THREADPOOL_SIZE = String(Math.max(4, parallelism));
}
