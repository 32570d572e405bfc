import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { trimText } from '../text.js';

/** Tells generated clients to join the values with commas instead of repeating the parameter. */
const IN_ONE_PARAMETER = { style: 'form', explode: false } as const;

/**
 * Accepts one or more of the given texts separated by commas, in one query parameter. Trims each of them and drops
 * repetitions.
 */
export function IsListOf(texts: readonly string[]): PropertyDecorator {
  const known: ReadonlySet<unknown> = new Set(texts);
  return applyDecorators(
    SplitAtCommas(),
    ValidateBy({
      name: 'isListOf',
      validator: {
        validate: (value: unknown) => Array.isArray(value) && value.every((item) => known.has(item)),
        defaultMessage: (args) =>
          `${args?.property} must be one or more of the following values, separated by commas: ${texts.join(', ')}`,
      },
    }),
    ApiPropertyOptional({
      enum: [...texts],
      isArray: true,
      maxItems: texts.length,
      ...IN_ONE_PARAMETER,
    }),
  );
}

/** Splits a text at its commas into distinct trimmed texts. */
const SplitAtCommas = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? [...new Set(value.split(',').map((item) => trimText(item)))] : value,
  );
