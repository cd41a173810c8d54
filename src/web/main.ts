/** What index.html loads. */

import { App } from "./app.ts";

new App().start();
