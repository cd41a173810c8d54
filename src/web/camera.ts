/** A picture from the camera: a dialog that shows what the camera sees, and takes one frame of it. */

import { byId } from "./dom.ts";
import { messageOf } from "./values.ts";

/** What a browser's refusals mean to people. */
const REFUSALS: Readonly<Record<string, string>> = {
  NotAllowedError:
    "The camera was not allowed. Allow it for this page in the browser's address bar, and open this again.",
  NotFoundError: "No camera was found. Connect one, or choose a picture instead.",
  NotReadableError: "The camera is in use by another program. Close that, and open this again.",
};

/** Connects the button and the dialog; `onPicture` gets the frame that was taken. */
export function connectCamera(onPicture: (picture: ImageBitmap, name: string) => void): void {
  const dialog = byId("camera", HTMLDialogElement);
  const video = byId("camera-video", HTMLVideoElement);
  const take = byId("camera-take", HTMLButtonElement);
  const text = byId("camera-text");
  let stream: MediaStream | undefined;
  /** Counts openings: the browser may ask so long that the dialog is closed and opened again meanwhile. */
  let openings = 0;

  const open = async () => {
    const opening = ++openings;
    const isOver = () => !dialog.open || opening !== openings;
    text.textContent = "Waiting for the camera …";
    take.disabled = true;
    dialog.showModal();
    try {
      // Without a secure context there is none at all.
      const devices = navigator.mediaDevices as MediaDevices | undefined;
      if (!devices) throw new Error("this browser gives none to this page");
      const given = await devices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      if (isOver()) {
        stop(given);
        return;
      }
      stream = given;
      video.srcObject = given;
      await video.play();
      if (isOver()) return;
      text.textContent = "";
      take.disabled = false;
      take.focus();
    } catch (error) {
      if (isOver()) return;
      const name = error instanceof Error ? error.name : "";
      text.textContent =
        REFUSALS[name] ?? `No picture can be had from a camera (${messageOf(error)}). Choose one instead.`;
    }
  };

  byId("open-camera").addEventListener("click", () => void open());
  byId("camera-close").addEventListener("click", () => dialog.close());
  take.addEventListener("click", () => {
    createImageBitmap(video).then(
      (picture) => {
        dialog.close();
        onPicture(picture, "from the camera");
      },
      (error: unknown) => {
        text.textContent = `The camera gave no picture (${messageOf(error)}). Try again, or choose one instead.`;
      },
    );
  });
  dialog.addEventListener("close", () => {
    if (stream) stop(stream);
    stream = undefined;
    video.srcObject = null;
  });
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
