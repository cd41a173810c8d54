/** What the parts of the page that are tested in Node name of a browser's types. */

interface ImageBitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}
type Transferable = object;
