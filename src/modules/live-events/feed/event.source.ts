import { Injectable } from '@nestjs/common';
import PQueue from 'p-queue';
import { formatPosition, parsePosition, START_POSITION } from '../../../common/event-position.js';
import { requestContext } from '../../../common/context/request-context.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { type EventFilter, EventStore, type StoredEvent } from '../../../platform/event-store/event-store.js';
import { toEventResponse } from '../../events/dto/event.response.js';
import type { EventChoice } from './event-choice.js';
import { LiveEvent } from './live.event.js';

/** The number of events that a reader who catches up gets at once. */
const PAGE = 100;
/** The number of readers who catch up at the same time, so that requests always find a connection. */
const MAX_CONCURRENT_READS = 3;

export interface LivePage {
  readonly events: readonly LiveEvent[];
  /** The position up to which the reader now has everything. */
  readonly cursor: string;
}

/** Reads stored events for readers who begin or resume, a page at a time. */
@Injectable()
export class EventSource {
  private readonly turns = new PQueue({ concurrency: MAX_CONCURRENT_READS });
  readonly toLive: (event: StoredEvent) => LiveEvent;

  constructor(
    @InjectConfig() config: Config,
    private readonly store: EventStore,
  ) {
    const toResponse = toEventResponse(config.PUBLIC_URL);
    this.toLive = (event) => new LiveEvent(toResponse(event));
  }

  /** Returns the next events after the cursor. Their number is bounded. */
  readAfter(cursor: string, choice: EventChoice): Promise<LivePage> {
    return requestContext.outside(() => this.turns.add(() => this.read(cursor, choice)));
  }

  async findEnd(): Promise<string> {
    return formatPosition(await this.store.findEnd());
  }

  /** @throws AppError `VALIDATION_ERROR` for a position that no event can have yet */
  async assertReached(position: string, name: string): Promise<void> {
    await this.store.assertReached(parsePosition(position) ?? START_POSITION, name);
  }

  private async read(cursor: string, { own, all }: EventChoice): Promise<LivePage> {
    // Read before the page. All wanted events up to this end are in the page then, unless there are more than its limit.
    // Whoever gets everything needs no other end than the last event.
    const end = all?.types === null ? cursor : await this.findEnd();
    const filters: EventFilter[] = [];
    if (all) filters.push(all.types ? { types: all.types } : {});
    // Whoever gets all types of all users needs no second reading.
    if (own && all?.types !== null)
      filters.push({ subject: own.subject, ...(own.types && { types: own.types }) });
    const after = parsePosition(cursor) ?? START_POSITION;
    const parts: LiveEvent[][] = [];
    for (const filter of filters) {
      const found = await this.store.findSettled(after, filter, PAGE);
      parts.push(found.map(this.toLive));
    }
    return merge(parts, cursor, end);
  }
}

/** Merges pages of different filters up to the end of the shortest one that has more. */
function merge(parts: readonly LiveEvent[][], cursor: string, end: string): LivePage {
  const full = parts.filter((part) => part.length === PAGE).map((part) => part.at(-1)?.position ?? cursor);
  const bound = full.length > 0 ? full.reduce((one, other) => (one < other ? one : other)) : null;
  const byPosition = new Map<string, LiveEvent>();
  for (const event of parts.flat())
    if (bound === null || event.position <= bound) byPosition.set(event.position, event);
  const events = [...byPosition.values()].toSorted((one, other) => (one.position < other.position ? -1 : 1));
  const last = events.at(-1)?.position ?? cursor;
  return { events, cursor: bound === null && end > last ? end : last };
}
