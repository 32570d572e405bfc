import { ApiPropertyOptional } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';
import { DEFAULT_LIMIT, IsWholeNumber, MAX_LIMIT } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { IsListOf } from '../../../common/validation/text-list.decorator.js';
import { IsTime } from '../../../common/validation/time.decorator.js';
import { parsePosition } from '../../../common/event-position.js';
import { storedEventTypes } from '../../event-types.js';

/** The value of `after` that stands for the end of the feed. */
export const LATEST = 'latest';

/** The start position and the filter of a feed, whether it is read in pages or as a stream. */
export class EventSelectionDto {
  /**
   * The `position` of the last event read, or `latest` for the end of the feed. Without it, the feed starts at the
   * first event. A position that no event can have yet is refused
   */
  @IsOptionalProperty()
  @ValidateBy({
    name: 'isPosition',
    validator: {
      validate: (value: unknown) =>
        typeof value === 'string' && (value === LATEST || parsePosition(value) !== null),
      defaultMessage: () => 'after must be the position of an event, or latest',
    },
  })
  @ApiPropertyOptional({ pattern: `^(\\d{43}|${LATEST})$` })
  after?: string;

  /**
   * Starts the feed at this time, in place of `after`. No event that was stored since then is missing; the first
   * ones may be a few seconds older
   */
  @IsOptionalProperty()
  @IsTime()
  from?: string;

  /** The types of the events to list, separated by commas. Other types are refused, and there are no wildcards */
  @IsOptionalProperty()
  @IsListOf(storedEventTypes)
  type?: string[];
}

/** A page of a feed. */
export class ListEventsDto extends EventSelectionDto {
  /** The number of events per page */
  @IsWholeNumber(1, MAX_LIMIT, { default: DEFAULT_LIMIT })
  limit?: number;
}
