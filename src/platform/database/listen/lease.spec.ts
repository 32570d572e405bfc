import { describe, expect, it } from '@jest/globals';
import { Lease } from './lease.js';

const MINUTE = 60_000;

describe('Lease', () => {
  it('does not hold before the first heartbeat', () => {
    expect(new Lease(MINUTE).isValid).toBe(false);
  });

  it('holds for its duration, counted from when the heartbeat was sent', () => {
    const lease = new Lease(MINUTE);
    lease.renew(performance.now() - MINUTE - 1);
    expect(lease.isValid).toBe(false);
    lease.renew(performance.now() - MINUTE / 2);
    expect(lease.isValid).toBe(true);
  });

  it('expires without a new heartbeat', () => {
    const lease = new Lease(5);
    const sentAt = performance.now();
    lease.renew(sentAt);
    while (performance.now() <= sentAt + 5);
    expect(lease.isValid).toBe(false);
  });

  it('is not shortened by an older heartbeat that comes back late', () => {
    const lease = new Lease(MINUTE);
    lease.renew(performance.now());
    lease.renew(performance.now() - 2 * MINUTE);
    expect(lease.isValid).toBe(true);
  });

  it('ends when broken, until a heartbeat proves it again', () => {
    const lease = new Lease(MINUTE);
    lease.renew(performance.now());
    lease.break();
    expect(lease.isValid).toBe(false);
    lease.renew(performance.now());
    expect(lease.isValid).toBe(true);
  });
});
