import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { IsOptionalProperty } from './text.decorators.js';

const FLAGS: ReadonlyMap<unknown, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

/** Accepts `true` or `false` in a query, where every value is text. Converts it to a boolean; the default is false. */
export function IsQueryFlag(): PropertyDecorator {
  return applyDecorators(
    IsOptionalProperty(),
    ApiPropertyOptional({ type: Boolean, default: false }),
    Transform(({ value }: { value: unknown }) => FLAGS.get(value) ?? value),
    ValidateBy({
      name: 'isQueryFlag',
      validator: {
        validate: (value: unknown) => typeof value === 'boolean',
        defaultMessage: (args) => `${args?.property} must be true or false`,
      },
    }),
  );
}
