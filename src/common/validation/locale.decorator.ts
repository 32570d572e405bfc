import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { canonicalLocale, MAX_LOCALE_LENGTH } from '../locale.js';
import { ConvertedText } from './converted.decorator.js';

export const LOCALE_FAULT = 'must be a language tag such as en or de-AT';

/** Accepts a language tag (BCP 47) and converts it to its canonical spelling. */
export function IsLocale(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ maxLength: MAX_LOCALE_LENGTH, example: 'de' }),
    ConvertedText({ name: 'isLocale', convert: canonicalLocale, fault: LOCALE_FAULT }),
  );
}
