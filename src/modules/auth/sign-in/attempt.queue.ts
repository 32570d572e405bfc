import { AppError } from '../../../common/errors/app.error.js';

const MAX_WAITING = 1000;
/**
 * The interval at which the first attempt of a line retries. An outcome on this instance wakes the line at
 * once; outcomes on other instances are only seen by retrying.
 */
const RECHECK_INTERVAL_MS = 250;

interface Line {
  readonly places: WaitingPlace[];
  /**
   * Increases with each outcome, so that an attempt notices an outcome that arrives between its try and its
   * wait.
   */
  outcomes: number;
}

/**
 * Queues of attempts that wait for the outcomes of earlier attempts. Each full counter has its own line. Only
 * the first attempt of a line tries, so the database runs one statement per outcome at any length.
 */
export class AttemptQueue {
  private readonly lines = new Map<string, Line>();
  private waiting = 0;

  get size(): number {
    return this.waiting;
  }

  has(key: string): boolean {
    return this.lines.has(key);
  }

  /**
   * @throws AppError `OVERLOADED` when `max` attempts already wait in this line, or too many in all lines
   * together
   */
  enter(key: string, max: number): WaitingPlace {
    const line = this.lines.get(key) ?? { places: [], outcomes: 0 };
    if (line.places.length >= max || this.waiting >= MAX_WAITING) throw new AppError('OVERLOADED');
    const place = new WaitingPlace(line, key, () => this.leave(key, line, place));
    line.places.push(place);
    this.lines.set(key, line);
    this.waiting++;
    return place;
  }

  /** Wakes the first attempt of each line, because a place may be free. */
  wake(keys: Iterable<string>): void {
    for (const key of keys) {
      const line = this.lines.get(key);
      if (!line) continue;
      line.outcomes++;
      line.places[0]?.wake();
    }
  }

  /** Refuses every attempt that waits in the line now. `refusal` creates the error for each of them. */
  refuse(key: string, refusal: () => AppError): void {
    for (const place of this.lines.get(key)?.places ?? []) place.refuse(refusal);
  }

  private leave(key: string, line: Line, place: WaitingPlace): void {
    const index = line.places.indexOf(place);
    if (index < 0) return;
    line.places.splice(index, 1);
    this.waiting--;
    if (line.places.length === 0) this.lines.delete(key);
    // The next attempt is now the first.
    else if (index === 0) line.places[0]?.wake();
  }
}

/** A place in a line. */
class WaitingPlace {
  private wakeUp: (() => void) | null = null;
  private seenOutcomes: number | null = null;
  private refusal: (() => AppError) | null = null;

  constructor(
    private readonly line: Line,
    readonly key: string,
    readonly leave: () => void,
  ) {}

  wake(): void {
    this.wakeUp?.();
  }

  refuse(refusal: () => AppError): void {
    this.refusal = refusal;
    this.wake();
  }

  /**
   * Records that the attempt tried and failed to claim. Its next turn comes with the next outcome or retry
   * interval.
   */
  markTried(): void {
    this.seenOutcomes = this.line.outcomes;
  }

  /**
   * Resolves when it is this attempt's turn to try.
   * @throws AppError the refusal, or `OVERLOADED` after the deadline (in `performance.now()` time)
   */
  async waitForTurn(deadlineMs: number): Promise<void> {
    while (!this.isNext()) {
      if (this.refusal) throw this.refusal();
      const isFirst = this.line.places[0] === this;
      const left = deadlineMs - performance.now();
      if (left <= 0) throw new AppError('OVERLOADED');
      await this.sleep(isFirst ? Math.min(RECHECK_INTERVAL_MS, left) : left);
      if (isFirst) this.seenOutcomes = null;
    }
    if (this.refusal) throw this.refusal();
    this.seenOutcomes = this.line.outcomes;
    if (performance.now() >= deadlineMs) throw new AppError('OVERLOADED');
  }

  private isNext(): boolean {
    return this.line.places[0] === this && this.seenOutcomes !== this.line.outcomes;
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export type { WaitingPlace };
