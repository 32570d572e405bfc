import { IsIn, IsString, MaxLength, ValidateBy } from 'class-validator';
import { Transform } from 'class-transformer';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { applyDecorators } from '@nestjs/common';
import { AppError } from '../errors/app-error.js';
import { IsOptionalProperty } from '../validation/text.decorators.js';

export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 100;
/** Every row before an offset is read and thrown away; past this a cursor is the way. */
export const MAX_OFFSET = 10_000;
const MAX_CURSOR_LENGTH = 4096;

/** The paging of every list. */
export class PageQuery {
  /** Rows on a page */
  @IsWholeNumber(1, MAX_LIMIT, { default: DEFAULT_LIMIT })
  limit?: number;

  /** Rows to pass over. Past 10,000 follow `Link` instead */
  @IsWholeNumber(0, MAX_OFFSET, { hint: '; follow the cursor of the Link header to go further' })
  offset?: number;

  /** From the `Link` of the page before, with the same filters and sort */
  @IsOptionalProperty()
  @IsString()
  @MaxLength(MAX_CURSOR_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_CURSOR_LENGTH })
  cursor?: string;

  /** `exact` counts all rows into X-Total-Count; `estimate` asks the planner, at a bounded cost, for X-Total-Estimate */
  @IsOptionalProperty()
  @IsIn(['exact', 'estimate'])
  @ApiPropertyOptional({ enum: ['exact', 'estimate'] })
  total?: 'exact' | 'estimate';
}

/** @throws AppError `VALIDATION_ERROR` when both ways to page are used at once */
export function assertOneWayToPage(query: PageQuery): void {
  if (query.cursor !== undefined && query.offset !== undefined) {
    throw AppError.invalid('cursor', 'cursor and offset exclude each other');
  }
}

interface WholeNumberOptions {
  readonly default?: number;
  readonly hint?: string;
}

/** An optional whole number in a query: digits alone, since `Number` would take "1e3", "0x10" and " ". */
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
