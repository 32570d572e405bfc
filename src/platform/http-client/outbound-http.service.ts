import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { AttemptSender, type OutboundRequest } from './attempt.sender.js';
import type { OutboundOutcome } from './outbound-outcome.js';
import { OutboundTargetsService } from './outbound-targets.service.js';

/**
 * The one way in which the service calls others over HTTP. It never calls a private address unless
 * `OUTBOUND_ALLOW_PRIVATE` allows it, and it follows no redirect.
 */
@Injectable()
export class OutboundHttpService implements OnApplicationShutdown {
  private readonly sender: AttemptSender;

  constructor(targets: OutboundTargetsService) {
    this.sender = new AttemptSender(targets);
  }

  /**
   * Sends one request, without retries and outside the circuit breaker, for callers with a schedule of their own.
   * Never throws for what the other side does.
   */
  attempt(request: OutboundRequest): Promise<OutboundOutcome> {
    return this.sender.send(request);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sender.close();
  }
}
