import { applyDecorators } from '@nestjs/common';
import { ApiBadRequestResponse, ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy, ValidateIf } from 'class-validator';
import { findCanonicalEmail, isShortEnough, MAX_EMAIL_LENGTH } from '../email-address.js';
import { ErrorResponse } from '../errors/error.response.js';
import { codePointLength, hasControlCharacters, trimText } from '../text.js';

/** The maximum number of code points after trimming. */
export const MAX_NAME_LENGTH = 100;
/**
 * The minimum number of code points after NFC (NIST SP 800-63B-4, 3.1.1.2: each code point counts as one
 * character).
 */
export const MIN_PASSWORD_LENGTH = 8;
export const MAX_PASSWORD_LENGTH = 128;
/** The rules for a new password, of its format and of the password policy, as the OpenAPI document states them. */
const PASSWORD_RULES = `${MIN_PASSWORD_LENGTH} to ${MAX_PASSWORD_LENGTH} characters, counted as code points after NFC, without control characters. Must not be common or known from a data breach, must not be the current password, and must not contain the name of the product, the part of the address before the @, or a word of the name. Words of fewer than 4 characters do not count. Case, accents and common substitutions, such as 4 for a, make no difference`;
/**
 * The maximum number of UTF-16 units that one NFC character can come from (UAX 15, maximum expansion of NFD).
 * Text beyond this multiple is too long and needs no normalization.
 */
const MAX_UNITS_PER_NFC_CHARACTER = 4;

/**
 * Matches a visible character: neither white space nor default-ignorable in Unicode's terms, as U+200B and
 * U+3164 are.
 */
const VISIBLE = /[^\s\p{Default_Ignorable_Code_Point}]/u;

/** Returns the error in words that follow the property's name, or null for valid text. */
type FindFault = (text: string) => string | null;

/**
 * Makes the property optional. Null is still rejected; class-validator's own IsOptional would pass it to code
 * that expects only undefined.
 */
export function IsOptionalProperty(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional(),
    ValidateIf((_object, value: unknown) => value !== undefined),
  );
}

/** Accepts any text. The limit of the body bounds its length. */
export function IsAnyText(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ type: String }),
    followsRule('isAnyText', () => null),
  );
}

/** Accepts text within a range of code points, without control characters. The text stays as sent. */
export function IsText(minimum: number, maximum: number): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ minLength: minimum, maxLength: maximum }),
    followsRule('isText', (text) => lengthFault(text, minimum, maximum) ?? controlFault(text)),
  );
}

/**
 * Accepts a name of 1 to {@link MAX_NAME_LENGTH} code points with at least one visible character and no
 * control characters. Trims the name, because a stray blank from a form is no reason to reject it or to store
 * two names that look the same. White space inside stays.
 */
export function IsName(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ minLength: 1, maxLength: MAX_NAME_LENGTH }),
    Trimmed(),
    followsRule('isName', nameFault),
  );
}

/**
 * Accepts an address that has a canonical form (see canonicalEmail). Trims it and otherwise keeps it as
 * given. Checks the length before the grammar.
 */
export function IsEmailAddress(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ format: 'email', maxLength: MAX_EMAIL_LENGTH }),
    Trimmed(),
    followsRule('isEmailAddress', emailFault, 'must be an email'),
  );
}

/**
 * Accepts the format of a new password, without trimming. The password policy checks its strength.
 * @param about whole sentences about the property, which the document puts before the rules
 */
export function IsPassword(about = ''): PropertyDecorator {
  return applyDecorators(
    ApiProperty({
      format: 'password',
      minLength: MIN_PASSWORD_LENGTH,
      maxLength: MAX_PASSWORD_LENGTH,
      description: `${about} ${PASSWORD_RULES}`.trim(),
    }),
    followsRule('isPassword', (text) => {
      const tooLong = text.length > MAX_PASSWORD_LENGTH * MAX_UNITS_PER_NFC_CHARACTER;
      const counted = tooLong ? text : text.normalize('NFC');
      return lengthFault(counted, MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH) ?? controlFault(text);
    }),
  );
}

/** Documents the refusal of a new password. */
export const ApiPasswordRefusal = () =>
  ApiBadRequestResponse({
    type: ErrorResponse,
    description: `The request is invalid, or the password breaks a rule, which the message names: ${PASSWORD_RULES}`,
  });

/** Checks a trimmed name. */
export const nameFault: FindFault = (text) =>
  lengthFault(text, 1, MAX_NAME_LENGTH) ??
  controlFault(text) ??
  (VISIBLE.test(text) ? null : 'must contain a visible character');

/** Checks a trimmed address. */
export const emailFault: FindFault = (text) => {
  if (!isShortEnough(text)) return `must be at most ${MAX_EMAIL_LENGTH} characters`;
  return findCanonicalEmail(text) === null ? 'must be an email' : null;
};

/** Trims white space that a search box or a paste adds, because it is not part of the value. */
export function Trimmed(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? trimText(value) : value));
}

function followsRule(name: string, findFault: FindFault, noText = 'must be a string'): PropertyDecorator {
  const fault = (value: unknown): string | null => (typeof value === 'string' ? findFault(value) : noText);
  return ValidateBy({
    name,
    validator: {
      validate: (value: unknown) => fault(value) === null,
      defaultMessage: (args) => `${args?.property} ${fault(args?.value)}`,
    },
  });
}

function lengthFault(text: string, minimum: number, maximum: number): string | null {
  const length = codePointLength(text);
  if (length >= minimum && length <= maximum) return null;
  return minimum === 0
    ? `must be at most ${maximum} characters`
    : `must be ${minimum} to ${maximum} characters`;
}

function controlFault(text: string): string | null {
  return hasControlCharacters(text) ? 'must not contain control characters' : null;
}
