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
        description: 'Where to go on, as `rel="next"`; absent when there is no more',
        schema: { type: 'string' },
      },
    },
  });

@ApiTags('events')
@Controller('api')
export class FeedController {
  constructor(private readonly feed: FeedService) {}

  /** What happened, oldest first. A reader that follows positions misses nothing and sees nothing twice. */
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

  /** What happened to one account, in the same order. */
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
