import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { AttemptSender, type OutboundRequest } from './attempt.sender.js';
import { HostBreakers } from './host-breakers.js';
import { OutboundMetrics } from './outbound.metrics.js';
import type { OutboundOutcome, OutboundResponse } from './outbound-outcome.js';
import { OutboundTargetsService } from './outbound-targets.service.js';
import { lifetimeSeconds, responseKey, type ResponseStore } from './response-store.js';
import { retryDelayMs } from './retry-delay.js';

export const RESPONSE_STORE = Symbol('ResponseStore');

const MAX_ATTEMPTS = 3;
const TOTAL_MS = 30_000;
const ATTEMPT_MS = 10_000;
/** A probe has less time, so that a breaker closes soon after the host is back. */
const PROBE_MS = 5000;
const CACHE_SECONDS = 300;
/** The number of different GET requests in progress, with their waits before a retry. */
const MAX_IN_PROGRESS = 1000;

export interface OutboundGet {
  readonly headers?: Readonly<Record<string, string>>;
  /** The maximum time to keep the response, 300 by default; 0 for a request whose response is not shared. */
  readonly cacheSeconds?: number;
  /** The time limit for all attempts together, 30,000 by default. */
  readonly totalMs?: number;
}

/**
 * The one way in which the service calls others over HTTP. It calls no private address unless
 * `OUTBOUND_ALLOW_PRIVATE` allows it, and it follows no redirect.
 */
@Injectable()
export class OutboundHttpService implements OnApplicationShutdown {
  private readonly sender: AttemptSender;
  private readonly breakers: HostBreakers;
  private readonly inProgress = new Map<string, Promise<OutboundResponse>>();

  constructor(
    private readonly targets: OutboundTargetsService,
    private readonly metrics: OutboundMetrics,
    @Inject(RESPONSE_STORE) private readonly responses: ResponseStore,
  ) {
    this.sender = new AttemptSender(targets);
    this.breakers = new HostBreakers(metrics);
  }

  /**
   * Sends one request, without retries and outside the circuit breaker, for callers with a schedule of their own.
   * Never throws for what the other side does.
   */
  async attempt(request: OutboundRequest): Promise<OutboundOutcome> {
    const outcome = await this.sender.send(request);
    this.metrics.observe('given', outcome);
    return outcome;
  }

  /**
   * Reads from a host that the operator configured: up to three attempts within the time limit, behind the host's
   * breaker. Equal requests share a request in progress and its response.
   * @throws AppError `EXTERNAL_ERROR` unless the host answers with a 2xx status
   */
  async get(url: string, options: OutboundGet = {}): Promise<OutboundResponse> {
    const fault = this.targets.faultOf(url, 'The URL');
    if (fault !== null) throw externalError(fault);
    const { headers = {}, cacheSeconds = CACHE_SECONDS } = options;
    if (cacheSeconds === 0) return this.fetch(url, options);
    const key = responseKey(url, headers);
    const shared = this.inProgress.get(key);
    if (shared) {
      this.metrics.lookedUp('shared');
      return shared;
    }
    if (this.inProgress.size >= MAX_IN_PROGRESS) throw externalError('too many requests are in progress');
    const work = this.read(key, url, { ...options, cacheSeconds }).finally(() => this.inProgress.delete(key));
    this.inProgress.set(key, work);
    return work;
  }

  async onApplicationShutdown(): Promise<void> {
    this.breakers.close();
    this.responses.close();
    await this.sender.close();
  }

  /** Looks the response up, else fetches and keeps it. */
  private async read(
    key: string,
    url: string,
    options: OutboundGet & { readonly cacheSeconds: number },
  ): Promise<OutboundResponse> {
    const kept = await this.responses.find(key);
    this.metrics.lookedUp(kept ? 'hit' : 'miss');
    if (kept) return kept;
    const { totalMs = TOTAL_MS, cacheSeconds } = options;
    const response = await requestContext.share(totalMs, () => this.fetch(url, options));
    const seconds = lifetimeSeconds(response, cacheSeconds);
    if (seconds > 0) this.responses.keep(key, response, seconds);
    return response;
  }

  private async fetch(url: string, options: OutboundGet): Promise<OutboundResponse> {
    const { headers = {}, totalMs = TOTAL_MS } = options;
    const { origin, host } = new URL(url);
    const endsAt = performance.now() + totalMs;
    let reason = 'failed too often';
    for (let retries = 0; ; retries++) {
      const outcome = await this.breakers.run(origin, async (probes) => {
        const timeoutMs = Math.min(probes ? PROBE_MS : ATTEMPT_MS, Math.ceil(endsAt - performance.now()));
        const sent = await this.sender.send({ method: 'GET', url, headers, timeoutMs });
        this.metrics.observe('configured', sent);
        return sent;
      });
      if (outcome === null) {
        this.metrics.rejectedByBreaker();
        throw externalError(`${host}: ${reason}`);
      }
      if (outcome.ok && outcome.status >= 200 && outcome.status < 300) return outcome;
      reason = outcome.ok ? `status ${outcome.status}` : outcome.message;
      const delayMs = retries + 1 < MAX_ATTEMPTS ? retryDelayMs(outcome, retries) : null;
      if (delayMs === null || performance.now() + delayMs >= endsAt)
        throw externalError(`${host}: ${reason}`);
      await sleep(delayMs);
    }
  }
}

/** The path and the query of a URL may be secret, so the reason names only the host. */
const externalError = (reason: string): AppError =>
  new AppError('EXTERNAL_ERROR', { cause: new Error(reason) });
