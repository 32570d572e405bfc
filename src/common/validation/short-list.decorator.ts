import { ValidateBy } from 'class-validator';

/**
 * Accepts a list of distinct items within a length range. One rule checks the length first, because
 * class-validator's ArrayUnique would compare each item of an endless list with all previous ones.
 */
export function IsShortList(minimum: number, maximum: number): PropertyDecorator {
  const fault = (value: unknown): string | null => {
    if (!Array.isArray(value)) return 'must be a list';
    if (value.length < minimum || value.length > maximum)
      return `must contain ${minimum} to ${maximum} items`;
    return new Set(value).size === value.length ? null : 'must not contain duplicates';
  };
  return ValidateBy({
    name: 'isShortList',
    validator: {
      validate: (value) => fault(value) === null,
      defaultMessage: (args) => `${args?.property} ${fault(args?.value)}`,
    },
  });
}
