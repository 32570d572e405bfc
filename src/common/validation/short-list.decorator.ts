import { ValidateBy } from 'class-validator';

/**
 * A list of so many items, each another. One rule, the length first: class-validator's ArrayUnique would
 * compare each item of an endless list with all before.
 */
export function IsShortList(minimum: number, maximum: number): PropertyDecorator {
  const fault = (value: unknown): string | null => {
    if (!Array.isArray(value)) return 'must be a list';
    if (value.length < minimum || value.length > maximum) return `must hold ${minimum} to ${maximum} items`;
    return new Set(value).size === value.length ? null : 'must not name one twice';
  };
  return ValidateBy({
    name: 'isShortList',
    validator: {
      validate: (value) => fault(value) === null,
      defaultMessage: (args) => `${args?.property} ${fault(args?.value)}`,
    },
  });
}
