import type CircuitBreaker from 'opossum';
import { LRUCache } from 'lru-cache';
import { BackgroundLogger } from '../logging/background.logger.js';
import type { BreakerState, OutboundMetrics } from './outbound.metrics.js';
import type { OutboundOutcome } from './outbound-outcome.js';

/** The number of hosts with a breaker. The host not called for longest loses its breaker first. */
const MAX_HOSTS = 256;
/** The time after which an open breaker lets a probe through. */
const REOPEN_MS = 2000;
/** The period over which failures count. */
const WINDOW_MS = 10_000;
/** The number of attempts in the period below which the breaker stays closed. */
const MIN_ATTEMPTS = 5;
const MAX_FAILED_PERCENT = 50;

type Send = (probes: boolean) => Promise<OutboundOutcome>;
type Breaker = CircuitBreaker<[Send], OutboundOutcome>;

/** Carries a failed outcome through the breaker, which counts rejected promises. */
class FailedAttempt extends Error {
  override readonly name = 'FailedAttempt';
  constructor(readonly outcome: OutboundOutcome) {
    super('the attempt failed');
  }
}

/**
 * Circuit breakers, one per host. After more than half of the attempts of the last 10 s failed, an open breaker refuses
 * all attempts at once. Every 2 s it lets one through: the probe.
 */
export class HostBreakers {
  private readonly logger = new BackgroundLogger(HostBreakers.name);
  private readonly breakers = new LRUCache<string, Breaker>({
    max: MAX_HOSTS,
    dispose: (breaker) => breaker.shutdown(),
  });

  constructor(private readonly metrics: OutboundMetrics) {
    this.showStates();
  }

  /**
   * Sends an attempt unless the breaker of the host is open.
   * @param send is told whether the attempt is the probe
   * @returns null when the breaker refused it
   */
  async run(host: string, send: Send): Promise<OutboundOutcome | null> {
    const breaker = this.breakers.get(host) ?? (await this.create(host));
    try {
      return await breaker.fire(send);
    } catch (error) {
      if (error instanceof FailedAttempt) return error.outcome;
      if (breaker.isShutdown || (error as NodeJS.ErrnoException).code === 'EOPENBREAKER') return null;
      throw error;
    }
  }

  close(): void {
    this.breakers.clear();
  }

  /** Loads the library with the first host, because a start does not need it. */
  private async create(host: string): Promise<Breaker> {
    const { default: Library } = await import('opossum');
    // Another request may have created it meanwhile.
    const known = this.breakers.get(host);
    if (known) return known;
    const breaker: Breaker = new Library(
      async (send: Send) => {
        const outcome = await send(breaker.halfOpen);
        if (countsAsFailure(outcome)) throw new FailedAttempt(outcome);
        return outcome;
      },
      {
        // An attempt has its own time limit.
        timeout: false,
        resetTimeout: REOPEN_MS,
        rollingCountTimeout: WINDOW_MS,
        volumeThreshold: MIN_ATTEMPTS,
        errorThresholdPercentage: MAX_FAILED_PERCENT,
        rollingPercentilesEnabled: false,
        enableSnapshots: false,
      },
    );
    breaker.on('open', () =>
      this.changed(`Requests to ${host} fail, so they are refused until a probe succeeds`),
    );
    breaker.on('halfOpen', () => this.showStates());
    breaker.on('close', () => this.changed(`Requests to ${host} succeed again`));
    this.breakers.set(host, breaker);
    this.showStates();
    return breaker;
  }

  private changed(message: string): void {
    this.logger.warn(message);
    this.showStates();
  }

  private showStates(): void {
    const counts: Record<BreakerState, number> = { closed: 0, half_open: 0, open: 0 };
    for (const breaker of this.breakers.values()) counts[stateOf(breaker)]++;
    this.metrics.showBreakers(counts);
  }
}

const stateOf = (breaker: Breaker): BreakerState =>
  breaker.opened ? 'open' : breaker.halfOpen ? 'half_open' : 'closed';

/** Returns true for a host that does not do its work. A host that refuses the request works. */
const countsAsFailure = (outcome: OutboundOutcome): boolean => !outcome.ok || outcome.status >= 500;
