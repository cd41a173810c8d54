#!/usr/bin/env node
/** The installed command: `googlenet COMMAND …`. */
"use strict";
require("./libuv-threads.cjs");

void import("./main.js")
  .then(({ main }) => main(process.argv.slice(2)))
  .then((status) => {
    process.exitCode = status;
  });
