/** max(x, 0), one element at a time. */

export interface Relu {
  readonly type: "relu";
}
