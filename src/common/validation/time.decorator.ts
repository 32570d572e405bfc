import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { trimText } from '../text.js';
import { AppError } from '../errors/app.error.js';
import { ConvertedText } from './converted.decorator.js';

/** RFC 3339, section 5.6. Unlike ISO 8601 it does not allow 24:00. */
const RFC_3339 =
  /^(\d{4}-\d\d-\d\d)t(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:z|[+-](?:[01]\d|2[0-3]):\d\d)$/i;
/** Matches years that both RFC 3339 and PostgreSQL can represent, after conversion to UTC. */
const SUPPORTED_YEARS = /^(?!0000)\d{4}-/;

/** The length of a time with nine fractional digits and an offset. */
const MAX_LENGTH = 35;

/**
 * Accepts an RFC 3339 time in any zone, on a day that exists. Converts it to UTC with milliseconds, because
 * PostgreSQL rejects offsets of 16 hours and more.
 */
export function IsTime(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ format: 'date-time', maxLength: MAX_LENGTH, example: '2026-01-01T12:00:00.000Z' }),
    ConvertedText({
      name: 'isTime',
      convert: (text) => parseTime(trimText(text)),
      fault: 'must be an RFC 3339 time',
    }),
  );
}

/**
 * Returns an RFC 3339 time in UTC with milliseconds, or null for an invalid time. Date.parse alone would turn 30
 * February into 2 March.
 */
export function parseTime(text: string): string | null {
  const day = RFC_3339.exec(text)?.[1];
  const time = Date.parse(text.toUpperCase());
  if (day === undefined || Number.isNaN(time)) return null;
  if (!new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)) return null;
  const utc = new Date(time).toISOString();
  return SUPPORTED_YEARS.test(utc) ? utc : null;
}

/** Checks two validated times. @throws AppError `VALIDATION_ERROR` when `to` is before `from` */
export function assertTimeRange({ from, to }: { readonly from?: string; readonly to?: string }): void {
  if (from === undefined || to === undefined || Date.parse(from) <= Date.parse(to)) return;
  throw AppError.invalid('to', 'to must not be before from');
}
