import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/context/caller.decorator.js';
import { Requires, SelfOr } from '../../common/authorization/policy.decorator.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { setNextLink } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { ExposesHeaders } from '../../platform/http/exposes-headers.decorator.js';
import { EventResponse } from './dto/event.response.js';
import { ListEventsDto } from './dto/list-events.dto.js';
import { type EventPage, EventsService } from './events.service.js';

const NEXT_POSITION = 'X-Next-Position';

const ApiEvents = () =>
  ApiOkResponse({
    type: [EventResponse],
    headers: {
      Link: {
        description: 'The next page, as `rel="next"`. Absent when no more events exist',
        schema: { type: 'string' },
      },
      [NEXT_POSITION]: {
        description:
          'The position to continue from, also when the page is empty: the next `after`. It moves with the feed, also when no event matches the filter',
        schema: { type: 'string', pattern: '^\\d{43}$' },
      },
    },
  });

@ApiTags('events')
@ExposesHeaders(NEXT_POSITION)
@Controller('api')
export class EventsController {
  constructor(private readonly events: EventsService) {}

  /** Returns events, oldest first. A reader that follows positions receives every event exactly once. */
  @Get('events')
  @Requires('events:read')
  @ApiEvents()
  async listEvents(
    @Query() query: ListEventsDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<readonly EventResponse[]> {
    return send(await this.events.list(query), request, response);
  }

  /** Returns the events of one user in the same order. */
  @Get('users/:id/events')
  @SelfOr('events:read')
  @ApiEvents()
  async listUserEvents(
    @Param('id', IdPipe) id: string,
    @Query() query: ListEventsDto,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<readonly EventResponse[]> {
    return send(await this.events.listOfUser(id, query, caller), request, response);
  }
}

function send(
  { events, next, hasMore }: EventPage,
  request: Request,
  response: Response,
): readonly EventResponse[] {
  response.set(NEXT_POSITION, next);
  if (hasMore) setNextLink(request, response, { after: next }, ['from']);
  return events;
}
