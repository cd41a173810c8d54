/** The photographs in GOOGLENET_PHOTOS, and what they show. */

import { join } from "node:path";

/** Files, and the classes that are right: of a tabby cat several. */
export const labelledPhotos: readonly (readonly [file: string, classes: readonly number[]])[] = [
  ["skimage_chelsea.png", [281, 282, 285]],
  ["skimage_coffee.png", [967]],
  ["coral_parrot.jpg", [88]],
  ["coral_hot_dog.jpg", [934]],
  ["opencv_space_shuttle.jpg", [812]],
];

/** Where the trained weights and the photographs are, if both are here. */
export const trainedPath = process.env.GOOGLENET_WEIGHTS;
export const photosPath = process.env.GOOGLENET_PHOTOS;
export const havePhotos = trainedPath !== undefined && photosPath !== undefined;

export function photoPath(file: string): string {
  return join(photosPath!, file);
}
