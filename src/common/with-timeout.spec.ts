import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { withTimeout } from './with-timeout.js';

const late = () => new Error('too late');

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('withTimeout', () => {
  it('returns the result of the work, or throws its error', async () => {
    await expect(withTimeout(Promise.resolve(7), 60_000, late)).resolves.toBe(7);
    await expect(withTimeout(Promise.reject(new Error('its own')), 60_000, late)).rejects.toThrow('its own');
  });

  it('throws the given error after the timeout, and ignores how the work ends', async () => {
    let fail: (error: Error) => void = () => {};
    const endless = new Promise<never>((_, reject) => (fail = reject));
    await expect(withTimeout(endless, 1, late)).rejects.toThrow('too late');
    fail(new Error('much later'));
    await expect(endless).rejects.toThrow('much later');
  });

  it('accepts a result that arrived while the process was busy', async () => {
    const arrived = nextTurn('in time');
    const result = withTimeout(arrived, 5, late);
    block(20);
    await expect(result).resolves.toBe('in time');
  });

  it('waits the full time after a turn that was already long', async () => {
    await nextTurn();
    block(30);
    const startedAt = performance.now();
    await expect(withTimeout(new Promise(() => {}), 20, late)).rejects.toThrow('too late');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(20);
  });
});
