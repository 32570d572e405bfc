import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsString, MaxLength, ValidateBy } from 'class-validator';
import { IsWholeNumber } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { type ExportFormat, exportFormats } from '../formats.js';

const MAX_CURSOR_LENGTH = 200;
const MAX_ROWS = 999_999_999_999;

/** What every export may be asked for. */
export class ExportQuery {
  /** Wins over `Accept` */
  @IsOptionalProperty()
  @IsIn(exportFormats)
  @ApiPropertyOptional({ enum: exportFormats, default: 'sse' })
  format?: ExportFormat;

  /** Goes on after this cursor: the `id` of an SSE event, or `X-Export-Cursor` of an answer. `Last-Event-ID` wins over it */
  @IsOptionalProperty()
  @IsString()
  @MaxLength(MAX_CURSOR_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_CURSOR_LENGTH })
  after?: string;

  /** Rows that came whole since that cursor, and are not to be sent again */
  @IsWholeNumber(0, MAX_ROWS, { default: 0 })
  received?: number;
}

/** Names of fields with commas between them; each once. Without it: all. */
export function IsFields(names: readonly string[]): PropertyDecorator {
  const fault = (value: unknown): string | null => {
    if (!Array.isArray(value)) return 'must be names of fields, separated by commas';
    const unknown: unknown = value.find((name) => !names.includes(name as string));
    if (unknown !== undefined) return `must be of: ${names.join(', ')}`;
    return new Set(value).size === value.length ? null : 'must not name one twice';
  };
  return applyDecorators(
    IsOptionalProperty(),
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value)),
    ValidateBy({
      name: 'isFields',
      validator: {
        validate: (value) => fault(value) === null,
        defaultMessage: (args) => `${args?.property} ${fault(args?.value)}`,
      },
    }),
    ApiPropertyOptional({ type: String, maxLength: names.join().length, example: names.slice(0, 2).join() }),
  );
}
