import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { withTimeout } from '../../../common/with-timeout.js';
import { BackgroundPool } from '../../../platform/database/driver/pools/background.pool.js';
import { EventAnnouncer } from '../../../platform/event-store/event.announcer.js';
import { EventStore } from '../../../platform/event-store/event-store.js';
import { FeatureFlags } from '../../../platform/feature-flags/feature-flags.service.js';
import { LifecycleService } from '../../../platform/lifecycle/lifecycle.service.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';
import { ResponseEncryption } from '../deliveries/response-encryption.service.js';
import { WebhookPauses } from '../webhook-pauses.service.js';
import { webhooksFlag } from '../webhooks.flags.js';
import { DeliverySender } from './delivery.sender.js';
import { EndpointRunner } from './endpoint.runner.js';
import { type HeldWebhook, SendingRepository } from './sending.repository.js';
import { WebhookMetrics } from './webhook.metrics.js';

const POLL_INTERVAL_MS = 1000;
/** The time for which an instance holds a webhook. Another one takes over a killed instance's webhooks after it. */
const HOLD_SECONDS = 5;
/** Shorter than the interval of polls, so that each of those renews the holds, but not each wake-up. */
const RENEW_AFTER_MS = 500;
/** The time in ms that requests in progress have when the service stops. */
const STOP_MS = 5000;

/**
 * Sends the deliveries of webhooks. One instance at a time holds a webhook, which bounds the requests in progress to its
 * receiver over all instances. It gives the webhook up when nothing is due.
 */
@Injectable()
export class WebhookDeliverer implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(WebhookDeliverer.name);
  private readonly holder = newId();
  private readonly runners = new Map<string, EndpointRunner>();
  private readonly running = new Set<Promise<void>>();
  private readonly task = new PeriodicTask(
    POLL_INTERVAL_MS,
    () => this.poll(),
    (error) => this.logger.error(error, 'no webhook could be claimed'),
  );
  private pollAgain = false;
  private renewedAt = -Infinity;
  private stopping = false;

  constructor(
    private readonly repository: SendingRepository,
    private readonly sender: DeliverySender,
    private readonly events: EventStore,
    private readonly encryption: ResponseEncryption,
    private readonly pauses: WebhookPauses,
    private readonly metrics: WebhookMetrics,
    private readonly pool: BackgroundPool,
    private readonly lifecycle: LifecycleService,
    private readonly flags: FeatureFlags,
    private readonly announcer: EventAnnouncer,
  ) {}

  onApplicationBootstrap(): void {
    this.task.start();
    this.announcer.subscribe(() => this.wake());
    this.lifecycle.stopping.addEventListener('abort', () => this.endAll(), { once: true });
  }

  /** Lets requests in progress end, for a while. What is not sent then is left to another instance. */
  async onModuleDestroy(): Promise<void> {
    this.endAll();
    await this.task.stop();
    // A claim in progress may have started others meanwhile.
    this.endRunners();
    const all = Promise.all(this.running);
    await withTimeout(all, STOP_MS, () => new Error('receivers are slow')).catch(() => {
      for (const runner of this.runners.values()) runner.cancel();
    });
    await all;
  }

  /** Looks for due deliveries outside the context and time limit of the caller. */
  wake(): void {
    this.pollAgain = true;
    if (!this.stopping) void this.task.run();
  }

  /** Applies a change of a webhook at once, as far as this instance is concerned. */
  apply(): void {
    this.renewedAt = -Infinity;
    this.wake();
  }

  private endAll(): void {
    this.stopping = true;
    this.endRunners();
  }

  private endRunners(): void {
    for (const runner of this.runners.values()) runner.end();
  }

  private async poll(): Promise<void> {
    if (this.flags.isDisabled(webhooksFlag)) {
      this.endRunners();
      return;
    }
    await this.renew();
    do {
      this.pollAgain = false;
      if (this.stopping) return;
      for (const runner of this.runners.values()) runner.look();
      const heldUntil = this.holdFromNow();
      for (const webhook of await this.repository.claim(this.holder, HOLD_SECONDS, [...this.runners.keys()]))
        this.startRunner(webhook, heldUntil);
    } while (this.pollAgain);
  }

  private async renew(): Promise<void> {
    if (this.runners.size === 0 || performance.now() < this.renewedAt + RENEW_AFTER_MS) return;
    const heldUntil = this.holdFromNow();
    const held = await this.repository.renew(this.holder, HOLD_SECONDS, [...this.runners.keys()]);
    const byId = new Map(held.map((webhook) => [webhook.id, webhook]));
    for (const [id, runner] of this.runners) {
      const webhook = byId.get(id);
      if (webhook?.active) runner.renew(this.sender.targetOf(webhook), heldUntil);
      else runner.end();
    }
    this.renewedAt = performance.now();
  }

  private holdFromNow(): number {
    return performance.now() + HOLD_SECONDS * 1000;
  }

  private startRunner(webhook: HeldWebhook, heldUntil: number): void {
    const { id } = webhook;
    const runner = new EndpointRunner(this.sender.targetOf(webhook), heldUntil, {
      exchange: (outcomes, lanes, wanted) => this.repository.exchange(id, outcomes, lanes, wanted),
      findEvents: (positions) => this.events.findAt(positions),
      send: (event, target, signal) => this.sender.send(event, target, signal),
      encryptResponse: (...response) => this.encryption.encrypt(...response),
      pause: () => this.pauses.pauseGone(id),
      count: (outcome) => this.metrics.count(outcome),
      logFailure: (error) => this.logger.error(error, `deliveries of the webhook ${id} are interrupted`),
    });
    this.runners.set(id, runner);
    const done = this.pool
      .runWith(async () => {
        await runner.run();
        this.runners.delete(id);
        await this.repository.release(this.holder, id);
      })
      .catch((error: unknown) => this.logger.error(error, `the webhook ${id} could not be released`))
      .finally(() => {
        // Once it is released, the webhook may have another runner.
        if (this.runners.get(id) === runner) this.runners.delete(id);
        this.running.delete(done);
        // An event may have been committed after the last look and before the release.
        if (!this.stopping) this.wake();
      });
    this.running.add(done);
  }
}
