import { z } from 'zod';
import { findCanonicalEmail } from '../common/email-address.js';
import { codePointLength, hasControlCharacters } from '../common/text.js';
import {
  canonicalNetwork,
  isHost,
  isHttpAddress,
  isHttpOrigin,
  isRedisUrl,
  isUrl,
} from './address-formats.js';

export const text = z.string().min(1, 'must not be empty');
export const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  z.enum(names, { error: `must be one of ${names.join(', ')}` });
export const boolean = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true');

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

/** A number from 0 to 1. */
export const share = z
  .string()
  .regex(/^(?:0(?:\.\d{1,15})?|1(?:\.0{1,15})?)$/, 'must be a number from 0 to 1, such as 0.01')
  .transform(Number);

export const postgresUrl = z
  .string()
  .refine((value) => isUrl(value, ['postgres:', 'postgresql:']), 'must be a postgres:// address');
export const redisUrl = z.string().refine(isRedisUrl, 'must be a redis:// address');
export const smtpUrl = z
  .string()
  .refine((value) => isUrl(value, ['smtp:', 'smtps:']), 'must be an smtp:// address');
export const httpOrigin = z
  .string()
  .refine(isHttpOrigin, 'must be an http(s):// address without a path or a query')
  .transform((value) => value.replace(/\/+$/, ''));
export const httpAddress = z
  .string()
  .refine(isHttpAddress, 'must be an http(s):// address without credentials, a query or a fragment')
  .transform((value) => value.replace(/\/+$/, ''));
/**
 * The one entry of `CORS_ORIGINS` that is not an exact origin: a development server on any port of this
 * machine.
 */
export const ANY_LOCALHOST = 'http://localhost:*';
export const host = z.string().refine(isHost, 'must be an IP address or a host name');
export const emailAddress = z
  .string()
  .refine((value) => findCanonicalEmail(value.trim()) !== null, 'must be an email address');
export const password = z.string().refine((value) => {
  const length = codePointLength(value.normalize('NFC'));
  return length >= 8 && length <= 128 && !hasControlCharacters(value);
}, 'must have 8 to 128 characters and no control characters');
export const origins = z.string().transform((value, context) => {
  const list = listOf(value);
  for (const origin of list) {
    if (origin === ANY_LOCALHOST) continue;
    // A URL may contain a "*", but no browser ever sends one. Such an entry would match no origin.
    const exact = !origin.includes('*') && isUrl(origin, ['http:', 'https:']);
    if (!exact || new URL(origin).origin !== origin) {
      context.addIssue({
        code: 'custom',
        message: 'must be origins such as https://app.example.com, separated by commas',
      });
    }
  }
  return list;
});
export const networks = z.string().transform((value, context) => {
  const list = listOf(value).map(canonicalNetwork);
  if (list.includes(null)) {
    context.addIssue({
      code: 'custom',
      message:
        'must be IP addresses or networks such as 10.0.0.0/8, separated by commas; a prefix shorter than /8 (IPv6: /16), or a network that contains all of IPv4, would trust every client',
    });
  }
  return list.filter((network) => network !== null);
});

const listOf = (value: string): string[] =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
