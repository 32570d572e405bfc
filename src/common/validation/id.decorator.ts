import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { normalizeId } from '../ids.js';
import { ConvertedText } from './converted.decorator.js';

const EXAMPLE = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';

/** Accepts an id and converts it to its canonical spelling, so that ids can be compared. */
export function IsId(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ format: 'uuid', example: EXAMPLE }),
    ConvertedText({ name: 'isId', convert: normalizeId, fault: 'must be a UUID' }),
  );
}

/**
 * Accepts `minimum` to `maximum` distinct ids and converts them to their canonical spelling. One rule checks the
 * length first, because class-validator would compare each item of an endless list with all previous ones.
 */
export function IsIdList(maximum: number, minimum = 1): PropertyDecorator {
  return applyDecorators(
    ApiProperty({
      type: 'array',
      items: { type: 'string', format: 'uuid' },
      minItems: minimum,
      maxItems: maximum,
      uniqueItems: true,
      example: [EXAMPLE],
    }),
    Transform(({ value }: { value: unknown }) =>
      Array.isArray(value) ? value.map((item: unknown) => normalizeId(item) ?? item) : value,
    ),
    ValidateBy({
      name: 'isIdList',
      validator: {
        validate: (value) => faultOf(value, minimum, maximum) === null,
        defaultMessage: (args) => `${args?.property} ${faultOf(args?.value, minimum, maximum)}`,
      },
    }),
  );
}

function faultOf(value: unknown, minimum: number, maximum: number): string | null {
  if (!Array.isArray(value)) return 'must be a list of UUIDs';
  if (value.length < minimum || value.length > maximum) return `must contain ${minimum} to ${maximum} UUIDs`;
  if (!value.every((item) => normalizeId(item) !== null)) return 'must contain only UUIDs';
  return new Set(value).size === value.length ? null : 'must not contain duplicates';
}
