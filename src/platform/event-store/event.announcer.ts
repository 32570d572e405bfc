import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { NotificationsService } from '../database/listen/notifications.service.js';

const CHANNEL = 'gatehouse_events';
/** The minimum time in ms between two notifications of this instance. */
const INTERVAL_MS = 50;

/**
 * Tells every instance that events were committed. One notification stands for all commits of a short time and travels
 * outside of their transactions, because a `NOTIFY` in each of them would halve the write throughput (ADR 70).
 *
 * A killed instance may leave events without a notification. Readers therefore also look from time to time.
 */
@Injectable()
export class EventAnnouncer implements OnModuleDestroy {
  private readonly listeners: (() => void)[] = [];
  private timer: NodeJS.Timeout | null = null;
  private isPending = false;

  constructor(private readonly notifications: NotificationsService) {
    const hear = () => {
      for (const listener of this.listeners) listener();
    };
    notifications.subscribe(CHANNEL, hear, hear);
  }

  /** Calls `listener` when an instance announces events, and when an announcement may have been missed. */
  subscribe(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Announces events that are committed. */
  announce(): void {
    if (this.timer) {
      this.isPending = true;
      return;
    }
    this.notifications.announce(CHANNEL);
    this.timer = requestContext.outside(() => setTimeout(() => this.continue(), INTERVAL_MS));
  }

  onModuleDestroy(): void {
    if (this.timer) clearTimeout(this.timer);
  }

  private continue(): void {
    this.timer = null;
    if (!this.isPending) return;
    this.isPending = false;
    this.announce();
  }
}
