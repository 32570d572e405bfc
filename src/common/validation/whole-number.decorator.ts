import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';

/** Accepts a whole number in a range. One rule, so that text such as `"5"` is not told about the range alone. */
export function IsWholeNumber(minimum: number, maximum: number): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ type: 'integer', minimum, maximum }),
    ValidateBy({
      name: 'isWholeNumber',
      validator: {
        validate: (value: unknown) =>
          typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum,
        defaultMessage: (args) => `${args?.property} must be a whole number from ${minimum} to ${maximum}`,
      },
    }),
  );
}
