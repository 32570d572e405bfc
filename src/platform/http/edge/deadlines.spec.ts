import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { Deadlines } from './deadlines.js';

const LIMIT_MS = 60;

class Work {
  endedAt: number | null = null;
  readonly startedAt = performance.now();

  timeOut(): void {
    this.endedAt = performance.now();
  }
}

describe('Deadlines', () => {
  it('ends each piece of work at its own limit, never earlier, with one timer', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const deadlines = new Deadlines<Work>(LIMIT_MS, (_, work) => work());
    const works: Work[] = Array.from({ length: 3 }, () => new Work());
    for (const work of works) deadlines.add(work);
    expect(timers).toHaveBeenCalledTimes(1);
    timers.mockRestore();
    for (let each = 0; each < 5; each++) {
      const work = new Work();
      deadlines.add(work);
      works.push(work);
      await sleep(10);
    }
    const start = performance.now();
    while (works.some(({ endedAt }) => endedAt === null) && performance.now() - start < 5000) await sleep(5);
    for (const { startedAt, endedAt } of works)
      expect((endedAt ?? 0) - startedAt).toBeGreaterThanOrEqual(LIMIT_MS);
    const ends = works.map(({ endedAt }) => endedAt ?? 0);
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  });

  it('leaves alone what was answered in time, and goes on after a pause', async () => {
    const deadlines = new Deadlines<Work>(LIMIT_MS, (_, work) => work());
    const answered = new Work();
    deadlines.add(answered);
    deadlines.delete(answered);
    await sleep(LIMIT_MS * 2);
    const late = new Work();
    deadlines.add(late);
    const start = performance.now();
    while (late.endedAt === null && performance.now() - start < 5000) await sleep(5);
    expect(answered.endedAt).toBeNull();
    expect(late.endedAt).not.toBeNull();
  });
});
