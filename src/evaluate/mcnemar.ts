/**
 * McNemar's test: whether two runs over the same pictures err differently often, or only on other pictures by chance
 * (McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
 * Psychometrika 12, 1947).
 */

/** What McNemar's test says of two runs. */
export interface McNemar {
  /** How the probability was reckoned: exactly up to 24 pictures that only one run has right, from 25 on by chi-square. */
  readonly test: "exact binomial" | "chi-square with continuity correction";
  /** Chi-square of one degree of freedom; null where the test is exact. */
  readonly statistic: number | null;
  /** The probability of a difference at least as large were both equally good. */
  readonly p: number;
}

/** Below so many discordant pairs, chi-square is no good approximation. */
const FEW = 25;

/** The test, from the numbers of pictures that only the first and only the second run has wrong. */
export function mcnemar(onlyFirst: number, onlySecond: number): McNemar {
  const discordant = onlyFirst + onlySecond;
  if (discordant < FEW) {
    return { test: "exact binomial", statistic: null, p: exactBinomial(Math.min(onlyFirst, onlySecond), discordant) };
  }
  // Edwards's correction (Psychometrika 13, 1948), which never makes more of a difference than there is.
  const statistic = Math.max(0, Math.abs(onlyFirst - onlySecond) - 1) ** 2 / discordant;
  return { test: "chi-square with continuity correction", statistic, p: complementaryError(Math.sqrt(statistic / 2)) };
}

/** Twice the probability of at most so many heads among few tosses, all in whole numbers until the last division. */
function exactBinomial(heads: number, tosses: number): number {
  let ways = 1;
  let sum = 1;
  for (let k = 1; k <= heads; k++) {
    ways = (ways * (tosses - k + 1)) / k;
    sum += ways;
  }
  return Math.min(1, (2 * sum) / 2 ** tosses);
}

/**
 * erfc(x) for x ≥ 0, to 14 digits: erf's series where it converges quickly, else erfc's continued fraction (Abramowitz
 * and Stegun, "Handbook of Mathematical Functions", 7.1.6 and 7.1.14).
 */
export function complementaryError(x: number): number {
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let fraction = x;
  for (let n = 60; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
