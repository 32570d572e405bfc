import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import {
  type EventPosition,
  formatPosition,
  isAfter,
  parsePosition,
  START_POSITION,
} from '../../common/event-position.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import { SealsService } from '../audit/sealing/seals.service.js';
import { UsersService } from '../users/users.service.js';
import { type EventResponse, toEventResponse } from './dto/event.response.js';
import { type EventSelectionDto, LATEST, type ListEventsDto } from './dto/list-events.dto.js';

export interface EventPage {
  readonly events: readonly EventResponse[];
  /**
   * The position to continue from: after the last event, or at the end of the feed when nothing up to there matches the
   * filter. So a reader of rare events does not read the same part of the feed with each poll.
   */
  readonly next: string;
  /** True if the next page has events already. */
  readonly hasMore: boolean;
}

/** Reads the ordered feed of events for clients that follow positions. */
@Injectable()
export class EventsService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly store: EventStore,
    private readonly users: UsersService,
    private readonly seals: SealsService,
  ) {}

  list(query: ListEventsDto): Promise<EventPage> {
    return this.read(query);
  }

  /** Reads the events of one user. @throws AppError `NOT_FOUND` when the caller cannot see the user */
  async listOfUser(id: string, query: ListEventsDto, caller: Principal): Promise<EventPage> {
    await this.users.get(id, caller);
    return this.read(query, id);
  }

  /** @throws AppError `VALIDATION_ERROR` for a position beyond the end of the feed */
  private async read(query: ListEventsDto, subject?: string): Promise<EventPage> {
    const { type: types, limit = DEFAULT_LIMIT } = query;
    const beginning = await this.beginningOf(query);
    const isFiltered = types !== undefined || subject !== undefined;
    // Read before the page. All wanted events up to this end are in the page then, unless there are more than its limit.
    const end = isFiltered ? await this.store.findEnd() : beginning;
    // Fetches one event more than it returns, to learn whether a next page exists.
    const found = await this.store.findSettled(
      beginning,
      { ...(types && { types }), ...(subject !== undefined && { subject }) },
      limit + 1,
    );
    // No event comes after such a position, so other pages need not ask.
    if (found.length === 0) await this.store.assertReached(beginning, 'after');
    const hasMore = found.length > limit;
    const shown = found.slice(0, limit);
    const last = shown.at(-1)?.position ?? beginning;
    return {
      events: shown.map(toEventResponse(this.config.PUBLIC_URL)),
      next: formatPosition(!hasMore && isAfter(end, last) ? end : last),
      hasMore,
    };
  }

  /**
   * Returns the position after which a reader begins.
   * @throws AppError `VALIDATION_ERROR` when the query names two places to begin
   */
  async beginningOf({ after, from }: EventSelectionDto): Promise<EventPosition> {
    if (after !== undefined && from !== undefined)
      throw AppError.invalid('from', 'from and after exclude each other');
    if (after === LATEST) return this.store.findEnd();
    const known =
      from === undefined ? parsePosition(after ?? '') : await this.seals.findPositionBefore(new Date(from));
    return known ?? START_POSITION;
  }
}
