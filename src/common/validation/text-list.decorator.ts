import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { codePointLength, hasControlCharacters, trimText } from '../text.js';

interface ListBounds {
  readonly maxItems: number;
  /** In code points. */
  readonly maxLength: number;
}

/**
 * Accepts one or more texts separated by commas, in one query parameter. Trims each of them and drops
 * repetitions.
 */
export function IsTextList({ maxItems, maxLength }: ListBounds): PropertyDecorator {
  const isItem = (item: unknown) =>
    typeof item === 'string' &&
    item !== '' &&
    codePointLength(item) <= maxLength &&
    !hasControlCharacters(item);
  return applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? [...new Set(value.split(',').map((item) => trimText(item)))] : value,
    ),
    ValidateBy({
      name: 'isTextList',
      validator: {
        validate: (value: unknown) =>
          Array.isArray(value) && value.length <= maxItems && value.every((item) => isItem(item)),
        defaultMessage: (args) =>
          `${args?.property} must be 1 to ${maxItems} texts of 1 to ${maxLength} characters, separated by commas`,
      },
    }),
    ApiPropertyOptional({ type: String, maxLength: maxItems * (maxLength + 1) }),
  );
}
