import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';
import { findCanonicalAddress } from '../http/client-network.js';
import { trimText } from '../text.js';

/** The maximum number of characters, enough for IPv6 with an embedded IPv4 address and the name of an interface. */
const MAX_LENGTH = 64;

/** Accepts an IPv4 or IPv6 address and converts it to its canonical spelling, so that addresses can be compared. */
export function IsIpAddress(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: String, maxLength: MAX_LENGTH }),
    Transform(({ value }: { value: unknown }) => canonical(value) ?? value),
    ValidateBy({
      name: 'isIpAddress',
      validator: {
        validate: (value) => canonical(value) !== null,
        defaultMessage: (args) => `${args?.property} must be an IPv4 or IPv6 address`,
      },
    }),
  );
}

const canonical = (value: unknown): string | null =>
  typeof value === 'string' && value.length <= MAX_LENGTH ? findCanonicalAddress(trimText(value)) : null;
