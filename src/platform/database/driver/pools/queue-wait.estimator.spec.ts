import { beforeEach, describe, expect, it } from '@jest/globals';
import { QueueWaitEstimator } from './queue-wait.estimator.js';

const CONNECTIONS = 10;

describe('WaitingLine', () => {
  let clock: number;
  let estimator: QueueWaitEstimator;
  beforeEach(() => {
    clock = 0;
    estimator = new QueueWaitEstimator(CONNECTIONS, () => clock);
  });

  /** Returns a connection every `everyMs` for `forMs`, while callers wait all the time. */
  function serve(everyMs: number, forMs: number): void {
    for (const until = clock + forMs; clock < until; clock += everyMs) estimator.returned(50);
  }
  const longestAdmitted = (): number => {
    let waiting = 0;
    while (estimator.admits(waiting)) waiting++;
    return waiting;
  };

  it('admits one caller per connection even while no connection returns', () => {
    estimator.admits(0);
    clock = 60_000;
    expect(estimator.admits(CONNECTIONS - 1)).toBe(true);
  });

  it('admits a burst after a quiet time as far as it can be served within 2 s', () => {
    estimator.admits(0);
    serve(2, 500);
    expect(longestAdmitted()).toBeCloseTo(2000 / 2, -2);
  });

  it.each([1, 2, 5, 20])(
    'refuses callers of a persistent queue when a connection every %d ms means more than 300 ms',
    (everyMs) => {
      serve(everyMs, 5000);
      clock += 1;
      const expected = Math.max(CONNECTIONS, 300 / everyMs);
      let waiting = 1;
      while (estimator.admits(waiting)) waiting++;
      expect(Math.abs(waiting - expected)).toBeLessThanOrEqual(Math.ceil(expected / 50));
    },
  );

  it('refuses all other callers when no connection has returned for a second', () => {
    serve(1, 5000);
    expect(estimator.admits(100)).toBe(true);
    clock += 1001;
    expect(estimator.admits(CONNECTIONS)).toBe(false);
  });

  it('stays full while callers give up and no connection comes back', () => {
    serve(1, 5000);
    clock += 5000;
    // All callers have given up at once. The next ones would wait as long.
    expect(estimator.admits(0, CONNECTIONS)).toBe(true);
    expect(estimator.admits(CONNECTIONS, CONNECTIONS)).toBe(false);
  });

  it('ignores quiet times when it measures the pace', () => {
    serve(1, 5000);
    estimator.returned(0);
    clock += 60_000;
    estimator.admits(0);
    estimator.returned(0);
    expect(estimator.admits(1000)).toBe(true);
  });

  it('bounds the queue length, however fast the queue moves', () => {
    serve(0.001, 5);
    expect(estimator.admits(10_000)).toBe(false);
  });
});
