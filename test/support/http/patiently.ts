import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';

interface Refusable {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** The total time for which a client comes back. */
const PATIENCE_MS = 20_000;

/**
 * Asks as a client does: again after the time in Retry-After while the instance says that it is overloaded,
 * which a busy machine can cause at any time. Fails when it still is when the patience ends.
 */
export async function patiently<A extends Refusable>(ask: () => PromiseLike<A>): Promise<A> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503) return answer;
    expect(answer.body).toMatchObject({ error: { code: 'OVERLOADED' } });
    const waitMs = Number(answer.headers['retry-after']) * 1000;
    // Also ends when there is no such header.
    if (!(performance.now() + waitMs < deadline)) throw new Error(`overloaded for ${PATIENCE_MS} ms`);
    await sleep(waitMs);
  }
}
