import { IsIn, IsString, MaxLength, ValidateBy } from 'class-validator';
import { Transform } from 'class-transformer';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { applyDecorators } from '@nestjs/common';
import { AppError } from '../errors/app.error.js';
import { IsOptionalProperty } from '../validation/text.decorators.js';

export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 100;
/**
 * The maximum offset. PostgreSQL reads and discards every row before an offset, so deeper pages need a
 * cursor.
 */
export const MAX_OFFSET = 10_000;
const MAX_CURSOR_LENGTH = 4096;

/** The paging parameters of every list. */
export class PageQuery {
  /** The number of rows on a page */
  @IsWholeNumber(1, MAX_LIMIT, { default: DEFAULT_LIMIT })
  limit?: number;

  /** The number of rows to skip. Beyond 10,000, follow the `Link` header instead */
  @IsWholeNumber(0, MAX_OFFSET, { hint: '; follow the cursor of the Link header to go further' })
  offset?: number;

  /** The cursor from the `Link` header of the previous page, with the same filters and sort order */
  @IsOptionalProperty()
  @IsString()
  @MaxLength(MAX_CURSOR_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_CURSOR_LENGTH })
  cursor?: string;

  /**
   * `exact` counts all rows and returns X-Total-Count. `estimate` returns the planner's estimate as
   * X-Total-Estimate, at a bounded cost
   */
  @IsOptionalProperty()
  @IsIn(['exact', 'estimate'])
  @ApiPropertyOptional({ enum: ['exact', 'estimate'] })
  total?: 'exact' | 'estimate';
}

/** Rejects a query that pages in both ways. @throws AppError `VALIDATION_ERROR` */
export function assertOffsetOrCursor(query: PageQuery): void {
  if (query.cursor !== undefined && query.offset !== undefined) {
    throw AppError.invalid('cursor', 'cursor and offset cannot be combined');
  }
}

interface WholeNumberOptions {
  readonly default?: number;
  readonly hint?: string;
}

/**
 * Accepts an optional whole number in a query. Only digits pass, because `Number` would also accept "1e3",
 * "0x10" and " ".
 */
export function IsWholeNumber(minimum: number, maximum: number, options: WholeNumberOptions = {}) {
  return applyDecorators(
    ApiPropertyOptional({ type: 'integer', minimum, maximum, default: options.default }),
    IsOptionalProperty(),
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
    ),
    ValidateBy({
      name: 'isWholeNumber',
      validator: {
        validate: (value) => typeof value === 'number' && value >= minimum && value <= maximum,
        defaultMessage: (args) =>
          `${args?.property} must be a whole number from ${minimum} to ${maximum}${options.hint ?? ''}`,
      },
    }),
  );
}
