import { describe, expect, it } from '@jest/globals';
import { Lease } from './lease.js';

const MINUTE = 60_000;

describe('a lease', () => {
  it('does not hold before anything was proven', () => {
    expect(new Lease(MINUTE).holds).toBe(false);
  });

  it('holds for its time, counted from the sending of the heartbeat and not from its return', () => {
    const lease = new Lease(MINUTE);
    lease.prove(performance.now() - MINUTE - 1);
    expect(lease.holds).toBe(false);
    lease.prove(performance.now() - MINUTE / 2);
    expect(lease.holds).toBe(true);
  });

  it('runs out by itself', () => {
    const lease = new Lease(5);
    const sentAt = performance.now();
    lease.prove(sentAt);
    while (performance.now() <= sentAt + 5);
    expect(lease.holds).toBe(false);
  });

  it('is not shortened by an older heartbeat that comes back late', () => {
    const lease = new Lease(MINUTE);
    lease.prove(performance.now());
    lease.prove(performance.now() - 2 * MINUTE);
    expect(lease.holds).toBe(true);
  });

  it('ends when broken, until a heartbeat proves it again', () => {
    const lease = new Lease(MINUTE);
    lease.prove(performance.now());
    lease.break();
    expect(lease.holds).toBe(false);
    lease.prove(performance.now());
    expect(lease.holds).toBe(true);
  });
});
