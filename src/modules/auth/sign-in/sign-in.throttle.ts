import { Injectable } from '@nestjs/common';
import { AppError } from '../../../common/errors/app.error.js';
import { clientNetwork } from '../../../common/http/client-network.js';
import { newId } from '../../../common/ids.js';
import { KeyedDigestService } from '../../../platform/crypto/keyed-digest.service.js';
import { AttemptInFlight, SignInAttemptsService } from './sign-in-attempts.service.js';
import { ALLOWANCES } from './guess-allowances.js';
import { SessionsRepository } from '../sessions/sessions.repository.js';
import { SignInFailuresRepository, type CounterVerdict } from './sign-in-failures.repository.js';
import { SignInMetrics } from './sign-in.metrics.js';
import type { WaitingPlace } from './attempt.queue.js';

/** The origin of attempts from a network where the user has no session. */
const ANY_NETWORK = 'anywhere';
const MAX_WAIT_MS = 5000;
/**
 * The maximum line of one user. Only the total limit bounds the line of a network, because many people may
 * share it.
 */
const MAX_WAITING_PER_USER = 100;

interface ClaimedIdentity {
  /** The canonical address, also for a user that does not exist. */
  readonly emailKey: string;
  /** The IP addresses of the user's live sessions. */
  readonly addresses: readonly string[];
}

/** The counters of one attempt, in the order of the allowances, and the names of their waiting lines. */
interface Counters {
  readonly keys: readonly Buffer[];
  readonly names: readonly string[];
}

/**
 * Slows down password guessing per user, per network and in total. It never locks a user out for good. A
 * network where the user has a session is counted separately, so that a stranger's guesses from elsewhere do
 * not delay the user there.
 *
 * An attempt claims its place before its password is judged, and becomes a failure only if the password is
 * wrong. Attempts beyond the allowance wait for the outcomes of earlier ones.
 */
@Injectable()
export class SignInThrottle {
  constructor(
    private readonly failures: SignInFailuresRepository,
    private readonly attempts: SignInAttemptsService,
    private readonly sessions: SessionsRepository,
    private readonly digests: KeyedDigestService,
    private readonly metrics: SignInMetrics,
  ) {}

  /**
   * Claims a place for an attempt, waiting if necessary. Unknown addresses are counted in the same way, so
   * that the response does not reveal them. The caller must end the attempt.
   * @throws AppError `RATE_LIMITED`, or `OVERLOADED` after 5 s or when a hundred others wait
   */
  async begin(claimed: ClaimedIdentity, ip: string): Promise<AttemptInFlight> {
    const counters = this.countersOf(claimed, ip);
    const startedAt = performance.now();
    // A new attempt does not overtake those that wait.
    const occupied = counters.names.findLast((name) => this.attempts.lines.has(name));
    let place: WaitingPlace | null = occupied === undefined ? null : this.enter(occupied, counters);
    try {
      for (;;) {
        await place?.waitForTurn(startedAt + MAX_WAIT_MS);
        const result = await this.claim(counters, startedAt);
        if (result instanceof AttemptInFlight) return result;
        if (place?.key === result) continue;
        place?.leave();
        place = this.enter(result, counters);
        place.markTried();
      }
    } finally {
      place?.leave();
    }
  }

  /**
   * Clears the failures of a user who has proven their identity by other means. Call it in the transaction,
   * before the user's sessions end.
   */
  async forgetFailures(emailKey: string, userId: string): Promise<void> {
    const addresses = await this.sessions.findAddressesOfUser(userId);
    const from = [ANY_NETWORK, ...addresses.map(clientNetwork)];
    await this.failures.forget(from.map((network) => this.userCounterKey(emailKey, network)));
  }

  /**
   * Judges the password of a signed-in user as a separate attempt.
   * @throws AppError like `begin`
   */
  async judge(
    { id, emailKey }: { id: string; emailKey: string },
    ip: string,
    matches: () => Promise<boolean>,
  ): Promise<boolean> {
    const addresses = await this.sessions.findAddressesOfUser(id);
    const attempt = await this.begin({ emailKey, addresses }, ip);
    try {
      const matched = await attempt.judge(matches());
      if (matched) await attempt.succeed();
      return matched;
    } finally {
      await attempt.end();
    }
  }

  private enter(name: string, { names }: Counters): WaitingPlace {
    return this.attempts.lines.enter(name, name === names.at(-1) ? MAX_WAITING_PER_USER : Infinity);
  }

  /** @returns the attempt, or the name of the counter that is full */
  private async claim({ keys, names }: Counters, startedAt: number): Promise<AttemptInFlight | string> {
    const attempt = this.attempts.begin(newId(), names);
    let verdicts: CounterVerdict[];
    try {
      verdicts = await this.failures.claim(attempt.id, keys, (performance.now() - startedAt) / 1000);
    } catch (error) {
      // The claim may have committed although its response was lost.
      await attempt.end();
      throw error;
    }
    if (verdicts.every(({ claimed }) => claimed)) return attempt;
    if (verdicts.some(({ claimed }) => claimed)) await attempt.end();
    else attempt.abandon();
    if (verdicts.some(({ blocked }) => blocked)) {
      this.refuseWaiting(names, verdicts);
      throw this.throttled(verdicts);
    }
    const full = verdicts.findLastIndex((each) => each.full);
    return String(names[full >= 0 ? full : verdicts.findLastIndex(({ claimed }) => !claimed)]);
  }

  /**
   * Refuses every attempt that waits for a blocked counter, because each would otherwise run a statement for
   * the same answer.
   */
  private refuseWaiting(names: readonly string[], verdicts: readonly CounterVerdict[]): void {
    for (const [index, { blocked, inForce }] of verdicts.entries()) {
      if (!blocked || !inForce) continue;
      const alone = verdicts.map((each, other) => ({ ...each, blocked: other === index }));
      this.attempts.lines.refuse(String(names[index]), () => this.throttled(alone));
    }
  }

  private throttled(verdicts: readonly CounterVerdict[]): AppError {
    const scope = ALLOWANCES[verdicts.findLastIndex(({ blocked }) => blocked)]?.scope;
    if (scope) this.metrics.throttled(scope);
    const waits = verdicts.filter(({ blocked }) => blocked).map((each) => each.retryAfterSeconds);
    return new AppError('RATE_LIMITED', {
      message: 'Too many failed attempts; try again later',
      headers: { 'Retry-After': String(Math.max(...waits)) },
    });
  }

  private countersOf({ emailKey, addresses }: ClaimedIdentity, ip: string): Counters {
    const network = clientNetwork(ip);
    const known = addresses.some((address) => clientNetwork(address) === network);
    const from = known ? network : ANY_NETWORK;
    const keys = [
      this.digest(`all:${from}`),
      this.digest(`network:${network}`),
      this.userCounterKey(emailKey, from),
    ];
    return { keys, names: keys.map((key) => key.toString('base64url')) };
  }

  private userCounterKey(emailKey: string, from: string): Buffer {
    return this.digest(`account:${emailKey}:${from}`);
  }

  private digest(text: string): Buffer {
    return this.digests.digest('sign-in-failures', [text]);
  }
}
