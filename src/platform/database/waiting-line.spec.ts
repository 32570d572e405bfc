import { beforeEach, describe, expect, it } from '@jest/globals';
import { WaitingLine } from './waiting-line.js';

const CONNECTIONS = 10;

describe('WaitingLine', () => {
  let clock: number;
  let line: WaitingLine;
  beforeEach(() => {
    clock = 0;
    line = new WaitingLine(CONNECTIONS, () => clock);
  });

  /** Returns a connection every `everyMs` for `forMs`, while callers wait all the time. */
  function serve(everyMs: number, forMs: number): void {
    for (const until = clock + forMs; clock < until; clock += everyMs) line.returned(50);
  }
  const longestAdmitted = (): number => {
    let waiting = 0;
    while (line.admits(waiting)) waiting++;
    return waiting;
  };

  it('admits one caller per connection even while no connection returns', () => {
    line.admits(0);
    clock = 60_000;
    expect(line.admits(CONNECTIONS - 1)).toBe(true);
  });

  it('admits a burst after a quiet time as far as it can be served within 2 s', () => {
    line.admits(0);
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
      while (line.admits(waiting)) waiting++;
      expect(Math.abs(waiting - expected)).toBeLessThanOrEqual(Math.ceil(expected / 50));
    },
  );

  it('refuses all other callers when no connection has returned for a second', () => {
    serve(1, 5000);
    expect(line.admits(100)).toBe(true);
    clock += 1001;
    expect(line.admits(CONNECTIONS)).toBe(false);
  });

  it('stays full while callers give up and no connection comes back', () => {
    serve(1, 5000);
    clock += 5000;
    // All callers have given up at once. The next ones would wait as long.
    expect(line.admits(0, CONNECTIONS)).toBe(true);
    expect(line.admits(CONNECTIONS, CONNECTIONS)).toBe(false);
  });

  it('ignores quiet times when it measures the pace', () => {
    serve(1, 5000);
    line.returned(0);
    clock += 60_000;
    line.admits(0);
    line.returned(0);
    expect(line.admits(1000)).toBe(true);
  });

  it('bounds the queue length, however fast the queue moves', () => {
    serve(0.001, 5);
    expect(line.admits(10_000)).toBe(false);
  });
});
