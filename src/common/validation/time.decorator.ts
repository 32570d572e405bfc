import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { trimText } from '../text.js';

/** RFC 3339, 5.6; 24:00 is ISO 8601's alone. */
const RFC_3339 =
  /^(\d{4}-\d\d-\d\d)t(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:z|[+-](?:[01]\d|2[0-3]):\d\d)$/i;
/** The years that RFC 3339 can write, without the one that PostgreSQL has not: in UTC, whatever the zone was. */
const OUR_YEARS = /^(?!0000)\d{4}-/;

/** With nine digits of a second, and an offset. */
const MAX_LENGTH = 35;

/**
 * A time as RFC 3339 writes it, in any zone, of a day that there is. It goes on in UTC, to the
 * millisecond: PostgreSQL knows no offsets of 16 hours and more.
 */
export function IsTime(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ format: 'date-time', maxLength: MAX_LENGTH, example: '2026-01-01T12:00:00.000Z' }),
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (toUtc(trimText(value)) ?? value) : value,
    ),
    ValidateBy({
      name: 'isTime',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && toUtc(value) !== null,
        defaultMessage: (args) => `${args?.property} must be a time as in RFC 3339`,
      },
    }),
  );
}

/** Null when it is no time. Date.parse takes 30 February for 2 March. */
function toUtc(text: string): string | null {
  const day = RFC_3339.exec(text)?.[1];
  const time = Date.parse(text.toUpperCase());
  if (day === undefined || Number.isNaN(time)) return null;
  if (!new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)) return null;
  const utc = new Date(time).toISOString();
  return OUR_YEARS.test(utc) ? utc : null;
}
