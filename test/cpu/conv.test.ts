import { expect, test } from "vitest";
import { conv } from "../../src/cpu/conv.ts";
import type { Conv } from "../../src/graph/ops.ts";
import { noPadding, squareWindow } from "../../src/graph/ops/window.ts";
import { tensor } from "../support/tensor.ts";

const input = tensor([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]);

function op(options: Partial<Conv> = {}): Conv {
  return { type: "conv", ...squareWindow(2), outChannels: 1, groups: 1, bias: true, ...options };
}

test("a 2×2 kernel is not flipped, and the bias is added once", () => {
  const result = conv(op(), input, tensor([1, 1, 2, 2], [1, 10, 100, 1000]), tensor([1], [0.5]), [1, 1, 2, 2]);
  // 1·1 + 2·10 + 4·100 + 5·1000 = 5421, and so on
  expect(result).toEqual(tensor([1, 1, 2, 2], [5421.5, 6532.5, 8754.5, 9865.5]));
});

test("pads on each side alone move the window as Caffe does", () => {
  const window = { ...squareWindow(2), pad: { top: 1, left: 0, bottom: 0, right: 1 } };
  const result = conv(op(window), input, tensor([1, 1, 2, 2], [1, 10, 100, 1000]), undefined, [1, 1, 3, 3]);
  // the first row of windows sees only the map's first row, with its lower taps; the last column only left taps
  expect([...result.data]).toEqual([2100, 3200, 300, 5421, 6532, 603, 8754, 9865, 906]);
});

test("strides of two directions", () => {
  const window = { kernel: [1, 2], stride: [2, 1], pad: noPadding, dilation: [1, 1] } as const;
  const result = conv(op(window), input, tensor([1, 1, 1, 2], [1, 10]), undefined, [1, 1, 2, 2]);
  expect([...result.data]).toEqual([21, 32, 87, 98]);
});

test("a dilated kernel takes every second pixel", () => {
  const result = conv(
    op(squareWindow(2, 1, 0, 2)),
    input,
    tensor([1, 1, 2, 2], [1, 10, 100, 1000]),
    undefined,
    [1, 1, 1, 1],
  );
  expect([...result.data]).toEqual([1 + 30 + 700 + 9000]);
});

test("padding as wide as the kernel less one: the corners see one pixel each", () => {
  const result = conv(
    op(squareWindow(2, 3, 1)),
    input,
    tensor([1, 1, 2, 2], [1, 10, 100, 1000]),
    undefined,
    [1, 1, 2, 2],
  );
  expect([...result.data]).toEqual([1000, 300, 70, 9]);
});

test("channels are summed, each batch and output channel apart", () => {
  const images = tensor([2, 2, 1, 1], [1, 2, 3, 4]);
  const result = conv(
    op({ ...squareWindow(1), outChannels: 3 }),
    images,
    tensor([3, 2, 1, 1], [1, 0, 0, 1, 10, 100]),
    tensor([3], [0.25, 0.5, 0.75]),
    [2, 3, 1, 1],
  );
  expect([...result.data]).toEqual([1.25, 2.5, 210.75, 3.25, 4.5, 430.75]);
});

test("groups see only their own channels", () => {
  const images = tensor([1, 4, 1, 1], [1, 2, 3, 4]);
  const result = conv(
    op({ ...squareWindow(1), outChannels: 2, groups: 2 }),
    images,
    tensor([2, 2, 1, 1], [1, 10, 100, 1000]),
    undefined,
    [1, 2, 1, 1],
  );
  expect([...result.data]).toEqual([21, 4300]);
});

test("sums are kept in float64: 2²⁵ + 1 − 2²⁵ is 1", () => {
  const images = tensor([1, 3, 1, 1], [2 ** 25, 1, -(2 ** 25)]);
  const result = conv(op(squareWindow(1)), images, tensor([1, 3, 1, 1], [1, 1, 1]), undefined, [1, 1, 1, 1]);
  expect([...result.data]).toEqual([1]);
});
