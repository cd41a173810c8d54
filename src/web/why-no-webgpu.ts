/** What keeps this page from WebGPU, as far as that shows before anything is asked of it. */

/** Why this browser can't compute here, as far as the page itself can tell; null where it may. */
export function whyNoWebGpu(scope: {
  readonly isSecureContext: boolean;
  readonly navigator: { readonly gpu?: unknown };
  readonly location: { readonly origin: string; readonly port: string };
}): { readonly title: string; readonly text: string } | null {
  const { isSecureContext, navigator, location } = scope;
  if (!isSecureContext) {
    const local = `http://localhost${location.port === "" ? "" : `:${location.port}`}`;
    return {
      title: "This address is not secure enough for WebGPU",
      text: `Browsers give WebGPU to pages from https or from this machine itself, and this one came from ${location.origin}. Open it as ${local} on the machine that serves it, or serve it by https.`,
    };
  }
  if (navigator.gpu === undefined) {
    return {
      title: "This browser has no WebGPU",
      text: "The network runs on it, so no picture can be labelled here. Chrome and Edge have it from version 113 on, Safari from 26, Firefox from 141 on Windows and 145 on macOS; where it is turned off, turn it on in the browser's settings or flags.",
    };
  }
  return null;
}
