import { ApiPropertyOptional } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';
import { DEFAULT_LIMIT, IsWholeNumber, MAX_LIMIT } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty, IsText } from '../../../common/validation/text.decorators.js';
import { parsePosition } from '../../../common/event-position.js';

const MAX_TYPE_LENGTH = 100;
const EXAMPLE = '0001000000000000000008150000000000000000042';

/** The start position and the filter of a feed. */
export class ListEventsDto {
  /** The `position` of the last event read. Without it, the feed starts at the first event */
  @IsOptionalProperty()
  @ValidateBy({
    name: 'isPosition',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && parsePosition(value) !== null,
      defaultMessage: () => 'after must be the position of an event',
    },
  })
  @ApiPropertyOptional({ pattern: '^\\d{43}$', example: EXAMPLE })
  after?: string;

  /** The type of the events to list */
  @IsOptionalProperty()
  @IsText(1, MAX_TYPE_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_TYPE_LENGTH, example: 'user.created' })
  type?: string;

  /** The number of events per page */
  @IsWholeNumber(1, MAX_LIMIT, { default: DEFAULT_LIMIT })
  limit?: number;
}
