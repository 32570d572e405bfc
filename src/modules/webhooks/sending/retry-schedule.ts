const SECOND = 1;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The pauses in seconds after each failed attempt. After the last one the delivery is dead. */
const PAUSES = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
] as const;
/** The largest part of a pause that is added at random, so that failures of one moment do not come back together. */
const JITTER = 0.1;

/**
 * Returns the pause in seconds before the next attempt, or null if there is none.
 * @param tries the number of failed attempts, at least 1
 */
export function pauseAfter(tries: number, random = Math.random): number | null {
  const pause = PAUSES[tries - 1];
  return pause === undefined ? null : pause * (1 + JITTER * random());
}
