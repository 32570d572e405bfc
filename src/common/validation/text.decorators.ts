import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy, ValidateIf } from 'class-validator';
import { findCanonicalEmail, isShortEnough, MAX_EMAIL_LENGTH } from '../email-address.js';
import { codePointLength, hasControlCharacters, trimText } from '../text.js';

/** In code points, without outer white space. */
export const MAX_NAME_LENGTH = 100;
/** In code points after NFC (NIST SP 800-63B-4, 3.1.1.2: each code point counts as one character). */
export const MIN_PASSWORD_LENGTH = 8;
export const MAX_PASSWORD_LENGTH = 128;
/** No character of NFC is made of more (UAX 15, maximum expansion of NFD): a longer text need not be normalised to be too long. */
const MAX_UNITS_PER_NFC_CHARACTER = 4;

/** Something to see: neither white space nor, in Unicode's words, default-ignorable, as U+200B and U+3164 are. */
const VISIBLE = /[^\s\p{Default_Ignorable_Code_Point}]/u;

/** What is wrong with a text, in words that follow the property's name; null when nothing is. */
type FindFault = (text: string) => string | null;

/**
 * The property may be left out. Null is not the same: class-validator's own IsOptional would let it
 * through to code that knows undefined alone.
 */
export function IsOptionalProperty(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional(),
    ValidateIf((_object, value: unknown) => value !== undefined),
  );
}

/** A text of so many code points, without control characters; otherwise as it was sent. */
export function IsText(minimum: number, maximum: number): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ minLength: minimum, maxLength: maximum }),
    followsRule('isText', (text) => lengthFault(text, minimum, maximum) ?? controlFault(text)),
  );
}

/**
 * A name of 1 to {@link MAX_NAME_LENGTH} code points with something to see in it, and no control
 * characters. Outer white space is taken off, inner is kept: a stray blank from a form is no reason
 * to refuse a name, and none to store two that look the same.
 */
export function IsName(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ minLength: 1, maxLength: MAX_NAME_LENGTH }),
    Trimmed(),
    followsRule('isName', nameFault),
  );
}

/**
 * An address that has a canonical form (see canonicalEmail); outer white space is taken off, and it
 * stays as given otherwise. Its length is judged before its grammar.
 */
export function IsEmailAddress(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ format: 'email', maxLength: MAX_EMAIL_LENGTH }),
    Trimmed(),
    followsRule('isEmailAddress', emailFault, 'must be an email'),
  );
}

/** The shape of a new password; whether it is a good one is for the policy. Never trimmed. */
export function IsPassword(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ format: 'password', minLength: MIN_PASSWORD_LENGTH, maxLength: MAX_PASSWORD_LENGTH }),
    followsRule('isPassword', (text) => {
      const tooLong = text.length > MAX_PASSWORD_LENGTH * MAX_UNITS_PER_NFC_CHARACTER;
      const counted = tooLong ? text : text.normalize('NFC');
      return lengthFault(counted, MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH) ?? controlFault(text);
    }),
  );
}

/** Of a name without outer white space. */
export const nameFault: FindFault = (text) =>
  lengthFault(text, 1, MAX_NAME_LENGTH) ??
  controlFault(text) ??
  (VISIBLE.test(text) ? null : 'must not be only white space');

/** Of an address without outer white space. */
export const emailFault: FindFault = (text) => {
  if (!isShortEnough(text)) return `must be at most ${MAX_EMAIL_LENGTH} characters`;
  return findCanonicalEmail(text) === null ? 'must be an email' : null;
};

/** Takes outer white space off, which a search box or a paste brings along: it is no part of a value. */
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
  return hasControlCharacters(text) ? 'must not hold control characters' : null;
}
