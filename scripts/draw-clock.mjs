// Draws assets/clock.svg, the sample picture: an analog clock close by, at eight minutes past ten, of the project's
// own making. Numerals are strokes, not text, so that the picture is the same whatever fonts a machine has.
//
//   node scripts/draw-clock.mjs

import { writeFileSync } from "node:fs";

const SIDE = 512;
const CENTRE = SIDE / 2;
const FACE_RADIUS = 294;
const RIM_RADIUS = 333;
const HOUR = 10;
const MINUTE = 8;
const SECOND = 36;
const INK = "#1b1b1d";
const RED = "#b3261e";

/** A number with at most two digits after the point. */
const round = (value) => String(Math.round(value * 100) / 100);

/** A stroke along the radius at `turn` (0–1, clockwise from twelve), between two distances from the centre. */
function spoke(turn, from, to, width, colour = INK) {
  const sine = Math.sin(2 * Math.PI * turn);
  const cosine = Math.cos(2 * Math.PI * turn);
  const [x1, y1, x2, y2] = [from * sine, -from * cosine, to * sine, -to * cosine].map((value) => round(CENTRE + value));
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}"/>`;
}

// On clocks, four is IIII.
const NUMERALS = ["I", "II", "III", "IIII", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];
const LETTER_WIDTH = { I: 12, V: 27, X: 27 };
const LETTER_HALF_HEIGHT = 27;

/** An hour's numeral, its foot to the centre, on its place on the face. */
function numeral(text, index) {
  const letters = [...text];
  let left = -letters.reduce((sum, letter) => sum + LETTER_WIDTH[letter], 0) / 2;
  const strokes = letters.map((letter) => {
    const [from, to] = [left + 3, left + LETTER_WIDTH[letter] - 3].map(round);
    const middle = round(left + LETTER_WIDTH[letter] / 2);
    left += LETTER_WIDTH[letter];
    const [top, foot] = [-LETTER_HALF_HEIGHT, LETTER_HALF_HEIGHT];
    switch (letter) {
      case "I":
        return `M${middle} ${top}V${foot}`;
      case "V":
        return `M${from} ${top}L${middle} ${foot}L${to} ${top}`;
      default:
        return `M${from} ${top}L${to} ${foot}M${to} ${top}L${from} ${foot}`;
    }
  });
  return `<path transform="rotate(${(index + 1) * 30} ${CENTRE} ${CENTRE}) translate(${CENTRE} 40)" d="${strokes.join("")}"/>`;
}

const minutes = Array.from({ length: 60 }, (_, minute) =>
  minute % 5 === 0 ? spoke(minute / 60, 255, 282, 10.5) : spoke(minute / 60, 267, 282, 3.75),
);
const hands = [
  spoke((HOUR + MINUTE / 60) / 12, -39, 150, 19.5),
  spoke((MINUTE + SECOND / 60) / 60, -45, 228, 13.5),
  spoke(SECOND / 60, -60, 246, 5.25, RED),
];

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}" viewBox="0 0 ${SIDE} ${SIDE}">
<title>An analog clock (drawn by scripts/draw-clock.mjs)</title>
<defs>
<linearGradient id="rim" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#5b5d63"/><stop offset=".5" stop-color="#232428"/><stop offset="1" stop-color="#08080a"/></linearGradient>
<radialGradient id="face" cx=".42" cy=".36" r=".75"><stop offset="0" stop-color="#fffdf6"/><stop offset="1" stop-color="#dcd6c6"/></radialGradient>
</defs>
<rect width="${SIDE}" height="${SIDE}" fill="#222"/>
<circle cx="${CENTRE}" cy="${CENTRE}" r="${RIM_RADIUS}" fill="url(#rim)"/>
<circle cx="${CENTRE}" cy="${CENTRE}" r="${FACE_RADIUS}" fill="url(#face)" stroke="#8d8a82" stroke-width="4.5"/>
${minutes.join("\n")}
<g fill="none" stroke="${INK}" stroke-width="7.5">
${NUMERALS.map(numeral).join("\n")}
</g>
<g stroke-linecap="round">
${hands.join("\n")}
</g>
<circle cx="${CENTRE}" cy="${CENTRE}" r="15" fill="${RED}"/>
<circle cx="${CENTRE}" cy="${CENTRE}" r="5.25" fill="${INK}"/>
</svg>
`;

writeFileSync(new URL("../assets/clock.svg", import.meta.url), svg);
