/** The time between two checks. Slow ones are further apart, so that they take at most half the time. */
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 100;

/** Polls until the condition is true, and fails when it is not true in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
  what = String(condition),
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const asked = performance.now();
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error(`${what} did not come true within ${timeoutMs} ms`);
    const took = performance.now() - asked;
    const pauseMs = Math.min(Math.max(took, MIN_PAUSE_MS), MAX_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
