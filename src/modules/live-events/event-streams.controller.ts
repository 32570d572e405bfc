import { Controller, Get, Query, Req, type StreamableFile } from '@nestjs/common';
import { ApiHeader, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { Requires, SignedIn } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { Caller } from '../../common/context/caller.decorator.js';
import { AppError } from '../../common/errors/app.error.js';
import { formatPosition, parsePosition } from '../../common/event-position.js';
import { ApiEventStream, eventStream } from '../../platform/http/answers/event-stream.js';
import { EventResponse } from '../events/dto/event.response.js';
import { EventSelectionDto } from '../events/dto/list-events.dto.js';
import { EventsService } from '../events/events.service.js';
import { EventStreams } from './event.streams.js';
import { EventSource } from './feed/event.source.js';

const LAST_EVENT_ID = 'Last-Event-ID';

const ApiLiveEvents = () =>
  ApiEventStream(
    { message: EventResponse },
    'event: message\nid: 0001000000000000000008150000000000000000042\ndata: {"specversion":"1.0","type":"user.created"}\n\n',
  );

const ApiLastEventId = () =>
  ApiHeader({
    name: LAST_EVENT_ID,
    description: 'The `id` received last, from which the stream continues. It replaces `after` and `from`',
    required: false,
    schema: { type: 'string', pattern: '^\\d{43}$' },
  });

@ApiTags('events')
@Controller('api')
export class EventStreamsController {
  constructor(
    private readonly events: EventsService,
    private readonly source: EventSource,
    private readonly streams: EventStreams,
  ) {}

  /**
   * Streams the feed as server-sent events: first the stored events, oldest first, then new ones as they happen. The `id` of
   * each is its position. `error` ends the stream when the session or the access token ends, or the service stops.
   * Connect again with `Last-Event-ID` to miss nothing.
   */
  @Get('events/stream')
  @Requires('events:read')
  @ApiLastEventId()
  @ApiLiveEvents()
  async streamEvents(@Query() query: EventSelectionDto, @Req() request: Request): Promise<StreamableFile> {
    const after = await this.beginningOf(query, request);
    const choice = { own: null, all: { types: query.type ?? null } };
    return eventStream(request, await this.streams.open(request, { after, choice, needs: 'events:read' }));
  }

  /** Streams the caller's own events in the same way. */
  @Get('users/me/events/stream')
  @SignedIn()
  @ApiLastEventId()
  @ApiLiveEvents()
  async streamOwnEvents(
    @Query() query: EventSelectionDto,
    @Caller() { userId }: Principal,
    @Req() request: Request,
  ): Promise<StreamableFile> {
    const after = await this.beginningOf(query, request);
    const choice = { own: { subject: userId, types: query.type ?? null }, all: null };
    return eventStream(request, await this.streams.open(request, { after, choice, needs: null }));
  }

  /**
   * Returns the position to continue from. `Last-Event-ID` wins over the query, because an EventSource sends it on
   * reconnect while its URL stays the same.
   */
  private async beginningOf(query: EventSelectionDto, request: Request): Promise<string> {
    const seen = request.get(LAST_EVENT_ID);
    const name = seen ? LAST_EVENT_ID : 'after';
    const place = seen ? parsePosition(seen) : await this.events.beginningOf(query);
    if (!place) throw AppError.invalid(name, `${name} must be the position of an event`);
    const beginning = formatPosition(place);
    await this.source.assertReached(beginning, name);
    return beginning;
  }
}
