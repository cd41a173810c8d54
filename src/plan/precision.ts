/** What numbers are stored as on the device. Outside of it, arrays are float32 whatever a plan's precision is. */

export const PRECISIONS = ["f32", "f16"] as const;
/** What numbers are stored as on the device: float32 or float16. */
export type Precision = (typeof PRECISIONS)[number];

/** Bytes of an element. */
export const elementBytes: Readonly<Record<Precision, number>> = { f32: 4, f16: 2 };
