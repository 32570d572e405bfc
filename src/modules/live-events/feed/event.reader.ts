import type { EventChoice } from './event-choice.js';
import type { EventSource } from './event.source.js';
import type { EventTailer, Follower } from './event.tailer.js';
import type { LiveEvent } from './live.event.js';

/** The number of events that wait for a slow reader before it falls back to reading the store. */
const MAX_WAITING = 1000;

/**
 * Reads the feed for one open stream: first from the store, in pages, then what the tailer hands out. Passes from one to
 * the other without a gap or a repeated event.
 */
export class EventReader implements Follower {
  private waiting: LiveEvent[] = [];
  private isFollowing = false;
  private hasOverflown = false;
  private isStopped = false;
  private wake: (() => void) | null = null;

  constructor(
    private readonly source: EventSource,
    private readonly tailer: EventTailer,
    private place: string,
    private chosen: EventChoice,
  ) {}

  /** The position up to which the reader has returned everything. It moves with the feed, also without a wanted event. */
  get cursor(): string {
    const { passed } = this.tailer;
    if (this.isFollowing && this.waiting.length === 0 && passed > this.place) this.place = passed;
    return this.place;
  }

  get choice(): EventChoice {
    return this.chosen;
  }

  /** True once events came faster than they were taken. The reader then goes on from the store. */
  get hasLagged(): boolean {
    return this.hasOverflown;
  }

  /** Wakes the tailer. `stop` must follow, also after a failure. */
  async start(): Promise<void> {
    await this.tailer.enter();
  }

  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.restart();
    this.tailer.leave();
  }

  /** Continues after another position, or with other events after the current one. */
  change({ place = this.cursor, choice = this.chosen }: { place?: string; choice?: EventChoice }): void {
    this.restart();
    this.place = place;
    this.chosen = choice;
  }

  joined(): void {
    this.isFollowing = true;
  }

  push(event: LiveEvent): void {
    if (event.position <= this.place) return;
    this.waiting.push(event);
    if (this.waiting.length > MAX_WAITING) {
      this.hasOverflown = true;
      this.restart();
    } else this.wake?.();
  }

  /**
   * Returns the next events, oldest first. Returns none after `timeoutMs` without one, and once the reader is stopped.
   */
  async next(timeoutMs: number | null): Promise<readonly LiveEvent[]> {
    while (!this.isStopped && !this.isFollowing) {
      await this.join();
      if (this.isFollowing) break;
      const { place, chosen } = this;
      const { events, cursor } = await this.source.readAfter(place, chosen);
      // Another position or choice came meanwhile.
      if (place !== this.place || chosen !== this.chosen) continue;
      this.place = cursor;
      if (events.length > 0) return events;
    }
    if (this.waiting.length === 0 && !this.isStopped) await this.wait(timeoutMs);
    return this.take();
  }

  private async join(): Promise<void> {
    await this.tailer.join(this);
    // It may have stopped while it waited to join.
    if (this.isStopped) this.restart();
  }

  private take(): readonly LiveEvent[] {
    const taken = this.waiting;
    if (taken.length === 0) return taken;
    this.waiting = [];
    this.place = taken.at(-1)?.position ?? this.place;
    return taken;
  }

  private async wait(timeoutMs: number | null): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (timeoutMs !== null) timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
    this.wake = null;
  }

  /** Leaves the tailer and drops what waits, which the store has too. */
  private restart(): void {
    if (this.isFollowing) this.tailer.part(this);
    this.isFollowing = false;
    this.waiting = [];
    this.wake?.();
  }
}
