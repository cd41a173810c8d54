/** Whether a device was lost: asked at any time, without a reaction on its promise for each who asks. */

import type { EngineError } from "../errors.ts";
import { deviceLost } from "./errors.ts";

/** What is known of one device. */
export interface Fate {
  /** Set once the device was lost. */
  lost?: EngineError;
}

/** A device's promise keeps its reactions for as long as it lives, sessions come and go: so each has one reaction. */
const fates = new WeakMap<GPUDevice, Fate>();

export function fateOf(device: GPUDevice): Fate {
  let fate = fates.get(device);
  if (!fate) {
    const known: Fate = {};
    void device.lost.then((info) => {
      known.lost = deviceLost(info);
    });
    fates.set(device, known);
    fate = known;
  }
  return fate;
}
