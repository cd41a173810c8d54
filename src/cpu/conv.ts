/**
 * Convolution: input (N, C, H, W), weight (O, C / groups, kernelH, kernelW), output (N, O, outH, outW).
 *
 * The sums of a whole output map are kept in float64 while every weight that touches it is passed over the input
 * map it belongs to. For which outputs a tap meets the map, and not the padding, is known before the inner loops.
 */

import type { Conv } from "../graph/ops.ts";
import { elementCount, type Shape, type Tensor } from "../graph/tensor.ts";
import { positionsInside, type Range } from "./taps.ts";

/** What one row or column of kernel taps does: tap offset from the output's position, and where it meets the map. */
interface Tap extends Range {
  readonly offset: number;
}

export function conv(op: Conv, input: Tensor, weight: Tensor, bias: Tensor | undefined, outputShape: Shape): Tensor {
  const [batch, channels, height, width] = input.shape;
  const [, outChannels, outHeight, outWidth] = outputShape;
  const channelsPerGroup = channels / op.groups;
  const outChannelsPerGroup = outChannels / op.groups;
  const rows = taps(op.kernel[0], op.dilation[0], op.pad.top, outHeight, op.stride[0], height);
  const columns = taps(op.kernel[1], op.dilation[1], op.pad.left, outWidth, op.stride[1], width);
  const [strideY, strideX] = op.stride;
  const values = new Float64Array(input.data);
  const output = new Float32Array(elementCount(outputShape));
  const sums = new Float64Array(outHeight * outWidth);
  for (let image = 0; image < batch; image++) {
    for (let outChannel = 0; outChannel < outChannels; outChannel++) {
      sums.fill(bias ? bias.data[outChannel] : 0);
      const firstChannel = Math.floor(outChannel / outChannelsPerGroup) * channelsPerGroup;
      let nextWeight = outChannel * channelsPerGroup * rows.length * columns.length;
      for (let channel = firstChannel; channel < firstChannel + channelsPerGroup; channel++) {
        const map = (image * channels + channel) * height * width;
        for (const row of rows) {
          for (const column of columns) {
            addTap(sums, outWidth, weight.data[nextWeight++], values, map, width, strideY, strideX, row, column);
          }
        }
      }
      output.set(sums, (image * outChannels + outChannel) * sums.length);
    }
  }
  return { shape: outputShape, data: output };
}

/** sums[y, x] += weight · map[y · strideY + row.offset, x · strideX + column.offset], wherever that is on the map. */
function addTap(
  sums: Float64Array,
  outWidth: number,
  weight: number,
  input: Float64Array,
  map: number,
  width: number,
  strideY: number,
  strideX: number,
  row: Tap,
  column: Tap,
): void {
  for (let y = row.start; y < row.end; y++) {
    const end = y * outWidth + column.end;
    let from = map + (y * strideY + row.offset) * width + column.start * strideX + column.offset;
    for (let to = y * outWidth + column.start; to < end; to++) {
      sums[to] += weight * input[from];
      from += strideX;
    }
  }
}

function taps(
  kernel: number,
  dilation: number,
  padBefore: number,
  count: number,
  stride: number,
  extent: number,
): Tap[] {
  return Array.from({ length: kernel }, (_, tap) => {
    const offset = tap * dilation - padBefore;
    return { offset, ...positionsInside(offset, count, stride, extent) };
  });
}
