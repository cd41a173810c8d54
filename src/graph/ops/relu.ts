/** max(x, 0), one element at a time. */

/** max(x, 0). */
export interface Relu {
  readonly type: "relu";
}
