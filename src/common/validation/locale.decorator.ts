import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { canonicalLocale, MAX_LOCALE_LENGTH } from '../locale.js';

export const LOCALE_FAULT = 'must be a language tag such as en or de-AT';

/** Accepts a language tag (BCP 47) and converts it to its canonical spelling. */
export function IsLocale(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ maxLength: MAX_LOCALE_LENGTH, example: 'de' }),
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (canonicalLocale(value) ?? value) : value,
    ),
    ValidateBy({
      name: 'isLocale',
      validator: {
        validate: (value: unknown) => typeof value === 'string' && canonicalLocale(value) !== null,
        defaultMessage: (args) => `${args?.property} ${LOCALE_FAULT}`,
      },
    }),
  );
}
