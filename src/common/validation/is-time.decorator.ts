import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';

/** RFC 3339 in UTC, to the millisecond at most. */
const TIME = /^(?!0000)\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/;

/** A time that there is: Date.parse alone would take 30 February for the 2nd of March. */
function isTime(value: unknown): boolean {
  if (typeof value !== 'string' || !TIME.test(value)) return false;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(value.slice(0, 19));
}

/** A time as the service writes them; its milliseconds may be left out. */
export function IsTime(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ format: 'date-time', pattern: TIME.source, example: '2026-01-01T12:00:00.000Z' }),
    ValidateBy({
      name: 'isTime',
      validator: {
        validate: isTime,
        defaultMessage: (args) => `${args?.property} must be a time in UTC such as 2026-01-01T12:00:00.000Z`,
      },
    }),
  );
}
