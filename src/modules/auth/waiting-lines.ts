import { AppError } from '../../common/errors/app-error.js';

const MAX_IN_ALL = 1000;
/** Outcomes on this instance wake a line at once. Those on other instances are found by looking this often. */
const LOOK_AGAIN_MS = 250;

interface Line {
  readonly places: Place[];
  /** Rises with each outcome, so that one between a try and the wait after it is not missed. */
  outcomes: number;
}

/**
 * Lines of attempts that wait until earlier ones are judged, one for each counter that had no place left.
 * Only the first of a line tries, so the database sees one statement for each outcome, whatever the length.
 */
export class WaitingLines {
  private readonly lines = new Map<string, Line>();
  private waiting = 0;

  get size(): number {
    return this.waiting;
  }

  has(key: string): boolean {
    return this.lines.has(key);
  }

  /** @throws AppError `OVERLOADED` when `max` wait in this line already, or too many in all */
  enter(key: string, max: number): Place {
    const line = this.lines.get(key) ?? { places: [], outcomes: 0 };
    if (line.places.length >= max || this.waiting >= MAX_IN_ALL) throw new AppError('OVERLOADED');
    const place = new Place(line, key, () => this.leave(key, line, place));
    line.places.push(place);
    this.lines.set(key, line);
    this.waiting++;
    return place;
  }

  /** Wakes the first of each line: a place may be free. */
  wake(keys: Iterable<string>): void {
    for (const key of keys) {
      const line = this.lines.get(key);
      if (!line) continue;
      line.outcomes++;
      line.places[0]?.wake();
    }
  }

  /** Refuses all who wait in the line now. `refusal` makes the error of each. */
  refuse(key: string, refusal: () => AppError): void {
    for (const place of this.lines.get(key)?.places ?? []) place.refuse(refusal);
  }

  private leave(key: string, line: Line, place: Place): void {
    const index = line.places.indexOf(place);
    if (index < 0) return;
    line.places.splice(index, 1);
    this.waiting--;
    if (line.places.length === 0) this.lines.delete(key);
    // The next one is the first now.
    else if (index === 0) line.places[0]?.wake();
  }
}

/** A place in a line. */
class Place {
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

  /** The attempt has just tried in vain: its next turn comes with the next outcome, or by looking again. */
  triedInVain(): void {
    this.seenOutcomes = this.line.outcomes;
  }

  /**
   * Returns when it is this attempt's turn to try.
   * @throws AppError `OVERLOADED` when the deadline, in terms of `performance.now`, has passed, or the refusal
   */
  async turn(deadlineMs: number): Promise<void> {
    while (!this.isNext()) {
      if (this.refusal) throw this.refusal();
      const isFirst = this.line.places[0] === this;
      const left = deadlineMs - performance.now();
      if (left <= 0) throw new AppError('OVERLOADED');
      await this.sleep(isFirst ? Math.min(LOOK_AGAIN_MS, left) : left);
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

export type { Place };
