import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';

interface Conversion {
  /** The name of the rule. */
  readonly name: string;
  /** Returns the canonical spelling of a text, which for canonical text is the text itself. Null for invalid text. */
  readonly convert: (text: string) => string | null;
  /** The error in words that follow the property's name. */
  readonly fault: string;
}

/** Converts text to its canonical spelling, so that values can be compared. Rejects text that has none. */
export function ConvertedText({ name, convert, fault }: Conversion): PropertyDecorator {
  const canonical = (value: unknown): string | null => (typeof value === 'string' ? convert(value) : null);
  return applyDecorators(
    Transform(({ value }: { value: unknown }) => canonical(value) ?? value),
    ValidateBy({
      name,
      validator: {
        validate: (value: unknown) => canonical(value) !== null,
        defaultMessage: (args) => `${args?.property} ${fault}`,
      },
    }),
  );
}
