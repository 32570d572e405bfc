import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';

/** RFC 3339, 5.6, with its capital letters. */
const RFC_3339 = /^(?!0000)(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** With nine digits of a second, and an offset. */
const MAX_LENGTH = 35;

/** A time as RFC 3339 writes it, in any zone, of a day that there is. */
export function IsTime(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ format: 'date-time', maxLength: MAX_LENGTH, example: '2026-01-01T12:00:00.000Z' }),
    ValidateBy({
      name: 'isTime',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && isTime(value),
        defaultMessage: (args) => `${args?.property} must be a time as in RFC 3339`,
      },
    }),
  );
}

/** Date.parse takes 30 February for 2 March. */
function isTime(text: string): boolean {
  const day = RFC_3339.exec(text)?.[1];
  if (day === undefined || Number.isNaN(Date.parse(text))) return false;
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}
