import { describe, expect, it } from '@jest/globals';
import { median, quantile, ratio, summarize } from '../../../bench/harness/statistics.mjs';

describe('the statistics of the benchmarks', () => {
  it('find quantiles of unsorted values', () => {
    const values = [30, 10, 100, 20, 40];
    expect(median(values)).toBe(30);
    expect(quantile(values, 0)).toBe(10);
    expect(quantile(values, 0.99)).toBe(100);
    expect(quantile(values, 1)).toBe(100);
    expect(values[0]).toBe(30);
  });

  it('know no quantile of nothing', () => {
    expect(() => median([])).toThrow('nothing');
  });

  it('show the median with the lowest and the highest round', () => {
    expect(summarize([5, 1, 9])).toEqual({ value: 5, low: 1, high: 9 });
  });

  it('compare round by round, so that a slow spell of the machine cancels out', () => {
    const measured = ratio([10, 200, 30], [5, 100, 15]);
    expect(measured).toEqual({ value: 2, low: 2, high: 2 });
  });

  it('compare no contenders of different rounds', () => {
    expect(() => ratio([1, 2], [1])).toThrow('differ');
  });
});
