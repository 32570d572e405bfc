import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { EventStore } from '../../platform/event-store/event-store.js';
import { parsePosition } from '../../common/event-position.js';
import { UsersService } from '../users/users.service.js';
import { type EventResponse, toEventResponse } from './dto/event.response.js';
import type { ListEventsDto } from './dto/list-events.dto.js';

interface EventPage {
  readonly events: readonly EventResponse[];
  /** The position to continue from, or null when no more events exist yet. */
  readonly next: string | null;
}

/** Reads the ordered feed of events for clients that follow positions. */
@Injectable()
export class EventsService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly store: EventStore,
    private readonly users: UsersService,
  ) {}

  list(query: ListEventsDto): Promise<EventPage> {
    return this.read(query);
  }

  /** Reads the events of one user. @throws AppError `NOT_FOUND` when the caller cannot see the user */
  async listOfUser(id: string, query: ListEventsDto, caller: Principal): Promise<EventPage> {
    await this.users.get(id, caller);
    return this.read(query, id);
  }

  private async read(
    { after, type, limit = DEFAULT_LIMIT }: ListEventsDto,
    subject?: string,
  ): Promise<EventPage> {
    const position = after === undefined ? null : parsePosition(after);
    // Fetches one event more than it returns, to learn whether a next page exists.
    const found = await this.store.findSettled(position, { type, subject }, limit + 1);
    const events = found.slice(0, limit).map(toEventResponse(this.config.PUBLIC_URL));
    return { events, next: found.length > limit ? (events.at(-1)?.position ?? null) : null };
  }
}
