/** Colours that mean something on a page. */

/**
 * Paul Tol's "bright" scheme, told apart with any colour vision and on white and black alike; grey for the rest.
 * (Tol, "Colour schemes", SRON technical note 09-002, 2021.)
 */
export const brightColors = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888"] as const;
