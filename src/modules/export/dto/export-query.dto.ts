import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsString, MaxLength, ValidateBy } from 'class-validator';
import { IsWholeNumber } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { type ExportFormat, exportFormats } from '../encoding/formats.js';

export const MAX_CURSOR_LENGTH = 200;
const MAX_ROWS = 999_999_999_999;

/** The query parameters of every export. */
export class ExportQuery {
  /** The output format. Overrides `Accept` */
  @IsOptionalProperty()
  @IsIn(exportFormats)
  @ApiPropertyOptional({ enum: exportFormats, default: 'sse' })
  format?: ExportFormat;

  /** Resumes after this cursor, which is the `id` of an SSE event or the `X-Export-Cursor` of a response. `Last-Event-ID` overrides it */
  @IsOptionalProperty()
  @IsString()
  @MaxLength(MAX_CURSOR_LENGTH)
  @ApiPropertyOptional({ maxLength: MAX_CURSOR_LENGTH })
  after?: string;

  /** The number of complete rows received since that cursor. They are not sent again */
  @IsWholeNumber(0, MAX_ROWS, { default: 0 })
  received?: number;
}

/** Validates a comma-separated list of distinct field names. Defaults to all fields. */
export function IsFields(names: readonly string[]): PropertyDecorator {
  const fault = (value: unknown): string | null => {
    if (!Array.isArray(value)) return 'must be field names separated by commas';
    const unknown: unknown = value.find((name) => !names.includes(name as string));
    if (unknown !== undefined) return `may contain only ${names.join(', ')}`;
    return new Set(value).size === value.length ? null : 'must not contain duplicates';
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
    ApiPropertyOptional({
      type: String,
      maxLength: names.join().length,
      description: `The fields of each row, separated by commas. All of them by default: ${names.join(', ')}`,
    }),
  );
}
