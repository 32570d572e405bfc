import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { requestContext } from '../../common/context/request-context.js';
import { PeriodicTask } from './periodic-task.js';

const INTERVAL_MS = 1000;

describe('PeriodicTask', () => {
  let runs: PromiseWithResolvers<void>[];
  let failures: unknown[];
  let task: PeriodicTask;
  beforeEach(() => {
    jest.useFakeTimers();
    runs = [];
    failures = [];
    task = new PeriodicTask(
      INTERVAL_MS,
      () => {
        const run = Promise.withResolvers<void>();
        runs.push(run);
        return run.promise;
      },
      (error) => failures.push(error),
    );
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const intervals = (count: number) => jest.advanceTimersByTimeAsync(count * INTERVAL_MS);
  const lastRun = () => {
    const run = runs.at(-1);
    if (!run) throw new Error('the task has not run');
    return run;
  };

  it('runs once per interval, and not before the first one has passed', async () => {
    task.start();
    expect(runs).toHaveLength(0);
    for (const count of [1, 2, 3]) {
      await intervals(1);
      expect(runs).toHaveLength(count);
      lastRun().resolve();
      await intervals(0);
    }
  });

  it('does not start once it was stopped', async () => {
    await task.stop();
    task.start();
    await intervals(3);
    expect(runs).toHaveLength(0);
  });

  it('never overlaps: later intervals and callers join the run in progress', async () => {
    task.start();
    await intervals(3);
    const joined = task.run();
    expect(runs).toHaveLength(1);
    lastRun().resolve();
    await joined;
    await intervals(1);
    expect(runs).toHaveLength(2);
  });

  it('reports the first failure of each series and keeps running', async () => {
    const fail = (message: string) => {
      const run = task.run();
      lastRun().reject(new Error(message));
      return run;
    };
    await fail('first');
    await fail('second');
    const success = task.run();
    lastRun().resolve();
    await success;
    await fail('third');
    expect(failures).toEqual([new Error('first'), new Error('third')]);
  });

  it('waits for the run in progress when it stops, and runs no more', async () => {
    task.start();
    await intervals(1);
    let stopped = false;
    const stop = task.stop().then(() => (stopped = true));
    await intervals(3);
    expect([stopped, task.stopping]).toEqual([false, true]);
    lastRun().resolve();
    await stop;
    await intervals(3);
    expect(runs).toHaveLength(1);
  });

  it('runs a last time when it finishes, once, and not after a failure', async () => {
    const finished = task.finish();
    await intervals(1);
    lastRun().resolve();
    await finished;
    await task.finish();
    expect([runs.length, task.stopping]).toEqual([1, true]);

    let attempts = 0;
    const failing = new PeriodicTask(
      INTERVAL_MS,
      () => Promise.reject(new Error(`attempt ${++attempts}`)),
      () => {},
    );
    await failing.run();
    await failing.finish();
    expect(attempts).toBe(1);
  });

  it('runs outside of the request that asks for it', async () => {
    const seen: unknown[] = [];
    const outside = new PeriodicTask(
      INTERVAL_MS,
      async () => void seen.push(requestContext.current()),
      () => {},
    );
    await requestContext.share(INTERVAL_MS, () => outside.run());
    expect(seen).toEqual([undefined]);
  });
});
