import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Caller } from '../../common/authorization/caller.js';
import { Requires, SelfOr } from '../../common/authorization/policy.js';
import type { Principal } from '../../common/authorization/principal.js';
import { linkNext } from '../../common/pagination/page.js';
import { IdPipe } from '../../common/validation/id.pipe.js';
import { EventResponse } from './dto/event.response.js';
import { FeedQuery } from './dto/feed-query.dto.js';
import { FeedService } from './feed.service.js';

const ApiFeed = () =>
  ApiOkResponse({
    type: [EventResponse],
    headers: {
      Link: {
        description: 'The next page, as `rel="next"`. Absent when no more events exist',
        schema: { type: 'string' },
      },
    },
  });

@ApiTags('events')
@Controller('api')
export class FeedController {
  constructor(private readonly feed: FeedService) {}

  /** Returns events, oldest first. A reader that follows positions receives every event exactly once. */
  @Get('events')
  @Requires('events:read')
  @ApiFeed()
  async all(
    @Query() query: FeedQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<readonly EventResponse[]> {
    const { events, next } = await this.feed.all(query);
    if (next !== null) linkNext(request, response, { after: next });
    return events;
  }

  /** Returns the events of one user in the same order. */
  @Get('users/:id/events')
  @SelfOr('events:read')
  @ApiFeed()
  async ofAccount(
    @Param('id', IdPipe) id: string,
    @Query() query: FeedQuery,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<readonly EventResponse[]> {
    const { events, next } = await this.feed.ofAccount(id, query, caller);
    if (next !== null) linkNext(request, response, { after: next });
    return events;
  }
}
