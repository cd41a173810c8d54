/** What the user has to know before anything works: no WebGPU, no weights, a lost GPU. */

import { byId, make } from "./dom.ts";

export interface Notice {
  /** Another notice of this name takes its place. */
  readonly name: string;
  readonly title: string;
  readonly text: readonly (string | Node)[];
  readonly actions?: readonly { readonly label: string; readonly act: () => void }[];
}

export function showNotice({ name, title, text, actions = [] }: Notice): void {
  hideNotice(name);
  const notice = make(
    "div",
    { class: "notice", role: "alert", "data-notice": name },
    make("h2", {}, title),
    make("p", {}, ...text),
  );
  if (actions.length > 0) {
    const buttons = actions.map(({ label, act }) => {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", act);
      return button;
    });
    notice.append(make("div", { class: "actions" }, ...buttons));
  }
  byId("notices").append(notice);
}

export function hideNotice(name: string): void {
  document.querySelector(`[data-notice="${name}"]`)?.remove();
}
