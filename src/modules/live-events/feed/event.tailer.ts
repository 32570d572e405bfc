import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { formatPosition, parsePosition, START_POSITION } from '../../../common/event-position.js';
import { requestContext } from '../../../common/context/request-context.js';
import { EventAnnouncer } from '../../../platform/event-store/event.announcer.js';
import { EventStore } from '../../../platform/event-store/event-store.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { accepts, type EventChoice } from './event-choice.js';
import { EventSource } from './event.source.js';
import type { LiveEvent } from './live.event.js';

/** The bound on the delay of events whose instance was killed before it announced them. */
const POLL_INTERVAL_MS = 1000;
const PAGE = 500;
/** The first pause before another look at events that wait for an older transaction. It doubles up to the poll. */
const FIRST_PAUSE_MS = 25;

/** A reader whom the tailer serves. */
export interface Follower {
  readonly choice: EventChoice;
  /** The position up to which the follower has everything. */
  readonly cursor: string;
  /** Called at the moment from which events are pushed. */
  joined(): void;
  push(event: LiveEvent): void;
}

interface Joiner {
  readonly follower: Follower;
  readonly resolve: () => void;
}

/**
 * Follows the feed once for all open streams of this instance, and hands each new event to those that want it. Reads
 * nothing while no stream is open.
 */
@Injectable()
export class EventTailer implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new BackgroundLogger(EventTailer.name);
  private readonly task = new PeriodicTask(
    POLL_INTERVAL_MS,
    () => this.follow(),
    (error) => this.logger.warn({ err: error }, 'new events could not be read'),
  );
  /** The followers of events about all users. */
  private readonly wide = new Set<Follower>();
  /** The followers of events about one user, by its id. */
  private readonly bySubject = new Map<string, Set<Follower>>();
  /** Followers who wait for the end of the page that is being read. */
  private joiners: Joiner[] = [];
  private present = 0;
  private starting: Promise<void> = Promise.resolve();
  private position = formatPosition(START_POSITION);
  private isReading = false;
  private isAnnounced = false;
  private pauseMs = FIRST_PAUSE_MS;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly source: EventSource,
    private readonly announcer: EventAnnouncer,
  ) {}

  onModuleInit(): void {
    this.announcer.subscribe(() => this.wake());
    this.task.start();
  }

  async onModuleDestroy(): Promise<void> {
    clearTimeout(this.timer);
    await this.task.stop();
  }

  /** The position up to which every follower has everything. */
  get passed(): string {
    return this.position;
  }

  /** Wakes the tailer for a reader, who must call `leave` later, also after a failure. */
  enter(): Promise<void> {
    this.present++;
    if (this.present === 1) {
      const starting = requestContext.outside(async () => {
        const end = await this.source.findEnd();
        // A late answer to a reader who has left meanwhile would skip what later ones wait for.
        if (this.starting === starting) this.position = end;
      });
      this.starting = starting;
    }
    return this.starting;
  }

  leave(): void {
    this.present--;
  }

  /**
   * Adds a follower, unless the tailer has already passed its cursor. It must then read on from the store and try again.
   * Waits for the page that is being read, which was chosen without the follower.
   */
  async join(follower: Follower): Promise<void> {
    if (!this.isReading) return this.admit(follower);
    return new Promise((resolve) => this.joiners.push({ follower, resolve }));
  }

  /** Removes a follower. Its choice must be the one it joined with. */
  part(follower: Follower): void {
    this.wide.delete(follower);
    const { own } = follower.choice;
    if (!own) return;
    const others = this.bySubject.get(own.subject);
    others?.delete(follower);
    if (others?.size === 0) this.bySubject.delete(own.subject);
  }

  private admit(follower: Follower): void {
    if (follower.cursor < this.position) return;
    const { own, all } = follower.choice;
    if (all) this.wide.add(follower);
    if (own) {
      const others = this.bySubject.get(own.subject) ?? new Set();
      this.bySubject.set(own.subject, others.add(follower));
    }
    follower.joined();
  }

  private wake(): void {
    if (this.present === 0) return;
    this.isAnnounced = true;
    this.pauseMs = FIRST_PAUSE_MS;
    void this.task.run();
  }

  private async follow(): Promise<void> {
    if (this.present === 0) return;
    await this.starting;
    let isUnsettled: boolean;
    do {
      this.isAnnounced = false;
      while (await this.readPage());
      isUnsettled = await this.store.hasUnsettled();
    } while (this.isAnnounced);
    if (isUnsettled) this.lookAgain();
    else this.pauseMs = FIRST_PAUSE_MS;
  }

  /** Reads and hands out one page. @returns true when the next one has events already */
  private async readPage(): Promise<boolean> {
    if (this.present === 0 || this.task.stopping) return false;
    this.isReading = true;
    try {
      const after = parsePosition(this.position) ?? START_POSITION;
      const { events, end, hasMore } = await this.store.readSettled(
        after,
        (event) => this.isWanted(event),
        PAGE,
      );
      for (const event of events) this.handOut(this.source.toLive(event));
      if (end) this.position = formatPosition(end);
      return hasMore;
    } finally {
      this.isReading = false;
      const waiting = this.joiners;
      this.joiners = [];
      for (const { follower, resolve } of waiting) {
        this.admit(follower);
        resolve();
      }
    }
  }

  private isWanted({ type, subject }: { readonly type: string; readonly subject: string }): boolean {
    if (this.bySubject.has(subject)) return true;
    for (const { choice } of this.wide) if (accepts(choice, type, subject)) return true;
    return false;
  }

  private handOut(event: LiveEvent): void {
    const { type, subject } = event;
    for (const follower of this.wide) if (accepts(follower.choice, type, subject)) follower.push(event);
    for (const follower of this.bySubject.get(subject) ?? [])
      if (!this.wide.has(follower) && accepts(follower.choice, type, subject)) follower.push(event);
  }

  /** Looks again soon, because no notification follows when the older transaction ends. */
  private lookAgain(): void {
    clearTimeout(this.timer);
    if (this.task.stopping || this.pauseMs >= POLL_INTERVAL_MS) return;
    this.timer = setTimeout(() => void this.task.run(), this.pauseMs);
    this.pauseMs *= 2;
  }
}
