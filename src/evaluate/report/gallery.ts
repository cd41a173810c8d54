/** The mistakes that were made with the most confidence, as pictures. */

import { percent } from "../../page/figures.ts";
import { html, Markup, portion } from "../../page/markup.ts";
import type { EvaluatedPicture } from "../record.ts";
import { type ClassifiedPicture, isClassified } from "../statistics.ts";
import type { ClassNames } from "./class-names.ts";

/** A small copy of a picture as a `data:` address, from its path as the evaluation has it; null where there is none. */
export type Thumbnail = (image: string) => Promise<string | null>;

/** Pictures whose most probable class is wrong, the most probable ones first. */
export function mistakes(pictures: readonly EvaluatedPicture[], most: number): ClassifiedPicture[] {
  return pictures
    .filter(isClassified)
    .filter(({ top5, class: shown }) => top5[0] !== shown)
    .sort((a, b) => b.probabilities[0] - a.probabilities[0] || a.number - b.number)
    .slice(0, most);
}

/** A card a picture: what it shows, and what it was taken for. */
export async function gallery(
  pictures: readonly ClassifiedPicture[],
  names: ClassNames,
  thumbnail: Thumbnail,
): Promise<Markup> {
  const cards: Markup[] = [];
  // One after another, so that only one whole picture is in memory at a time.
  for (const picture of pictures) cards.push(card(picture, names, await thumbnail(picture.image)));
  return html`<ul class="gallery">
    ${cards}
  </ul>`;
}

function card(picture: ClassifiedPicture, names: ClassNames, address: string | null): Markup {
  const { image, class: shown, top5, probabilities, ofClass } = picture;
  const [taken] = top5;
  const place = top5.indexOf(shown);
  const rank = place < 0 ? "not among the five" : `rank ${place + 1}`;
  const text = `${names.text(shown)}, taken for ${names.text(taken)}`;
  return html`<li>
    <figure>
      ${
        address !== null && isPicture(address)
          ? html`<img src="${address}" alt="${text}" />`
          : html`<div class="missing" role="img" aria-label="${text}">no thumbnail</div>`
      }
      <figcaption>
        <dl>
          ${guess("taken for", "wrong", names.markup(taken), probabilities[0], percent(probabilities[0]))}
          ${guess("shows", "right", names.markup(shown), ofClass, `${percent(ofClass)}, ${rank}`)}
        </dl>
        <p class="file">${image}</p>
      </figcaption>
    </figure>
  </li> `;
}

function guess(role: string, kind: string, name: Markup, probability: number, said: string): Markup {
  return html`<dt>${role}</dt>
    <dd>
      <strong>${name}</strong>
      <svg width="100%" height="6" aria-hidden="true">
        <rect class="track" width="100%" height="6" rx="3" />
        <rect class="${kind}" width="${portion(probability)}" height="6" rx="3" />
      </svg>
      <span class="soft">${said}</span>
    </dd>`;
}

/** Whether it is a picture that stands in the page itself, whatever the caller's function gave. */
function isPicture(address: string): boolean {
  return /^data:image\/(jpeg|png|webp|avif|gif);base64,[A-Za-z\d+/]+=*$/.test(address);
}
