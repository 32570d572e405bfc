import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { findCanonicalAddress } from '../http/client-network.js';
import { trimText } from '../text.js';
import { ConvertedText } from './converted.decorator.js';

/** The maximum number of characters, enough for IPv6 with an embedded IPv4 address and the name of an interface. */
const MAX_LENGTH = 64;

/** Accepts an IPv4 or IPv6 address and converts it to its canonical spelling, so that addresses can be compared. */
export function IsIpAddress(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: String, maxLength: MAX_LENGTH }),
    ConvertedText({
      name: 'isIpAddress',
      convert: (text) => (text.length <= MAX_LENGTH ? findCanonicalAddress(trimText(text)) : null),
      fault: 'must be an IPv4 or IPv6 address',
    }),
  );
}
