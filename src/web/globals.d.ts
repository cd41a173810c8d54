/** What the sources mean that a browser's types don't have. */

/** Node's alone; the core calls it only where it found Node. */
declare function setImmediate(callback: () => void): unknown;
