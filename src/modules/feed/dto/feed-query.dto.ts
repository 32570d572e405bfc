import { ApiPropertyOptional } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';
import { DEFAULT_LIMIT, IsWholeNumber, MAX_LIMIT } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty, IsText } from '../../../common/validation/text.decorators.js';
import { parsePosition } from '../../../common/history-position.js';

const MAX_TYPE_LENGTH = 100;
const EXAMPLE = '0001000000000000000008150000000000000000042';

/** From where a feed goes on, and what it tells of. */
export class FeedQuery {
  /** The `position` of the last event that was read; without it from the first */
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

  /** Only events of that type */
  @IsOptionalProperty()
  @IsText(1, MAX_TYPE_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_TYPE_LENGTH, example: 'user.created' })
  type?: string;

  /** Events at once */
  @IsWholeNumber(1, MAX_LIMIT, { default: DEFAULT_LIMIT })
  limit?: number;
}
