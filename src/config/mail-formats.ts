import { z } from 'zod';
import { findCanonicalEmail } from '../common/email-address.js';
import { codePointLength, hasControlCharacters } from '../common/text.js';
import { isUrl } from './address-formats.js';

const MAX_PRODUCT_NAME_LENGTH = 64;
const MAX_LINK_LENGTH = 2000;
const MAX_SENDER_NAME_LENGTH = 100;
/** A display name, with or without quotes, and an address in angle brackets. */
const NAMED_ADDRESS = /^(?:"([^"\\]*)"\s*|([^"<>]*))<([^<>\s]+)>$/;

/** Accepts the name of the product. */
export const productName = z
  .string()
  .transform((value) => value.trim())
  .refine(
    (value) =>
      value !== '' && codePointLength(value) <= MAX_PRODUCT_NAME_LENGTH && !hasControlCharacters(value),
    `must have 1 to ${MAX_PRODUCT_NAME_LENGTH} characters and no control characters`,
  );
/** Parses the sender of mails, given as an address or as `Name <address>`. */
export const sender = z.string().transform((value, context) => {
  const parsed = parseSender(value);
  if (parsed === null)
    context.addIssue({
      code: 'custom',
      message: 'must be an email address, alone or as Name <address>',
    });
  return parsed ?? { name: null, address: '' };
});
/** Accepts the address of a page with the placeholder `{token}`. */
export const linkTemplate = z
  .string()
  .refine(
    isLinkTemplate,
    'must be an http(s):// address with {token} in its path, query or fragment, such as https://app.example.com/reset?token={token}',
  );

/** The sender of mails. Without a name, mails show `PRODUCT_NAME`. */
export interface Sender {
  readonly name: string | null;
  readonly address: string;
}

/** Parses an address, alone or as `Name <address>`. Returns null for anything else. */
function parseSender(value: string): Sender | null {
  const trimmed = value.trim();
  if (hasControlCharacters(trimmed)) return null;
  const [, quoted, plain, bracketed] = NAMED_ADDRESS.exec(trimmed) ?? [];
  const address = bracketed ?? trimmed;
  const name = (quoted ?? plain ?? '').trim();
  if (findCanonicalEmail(address) === null || codePointLength(name) > MAX_SENDER_NAME_LENGTH) return null;
  return { name: name === '' ? null : name, address };
}

/** Returns true for a page whose path, query or fragment has the placeholder `{token}`. */
function isLinkTemplate(value: string): boolean {
  const filled = value.replaceAll('{token}', 'token');
  if (filled === value || value.length > MAX_LINK_LENGTH || /[\s{}]/.test(filled)) return false;
  if (!isUrl(filled, ['http:', 'https:'])) return false;
  const { username, password } = new URL(filled);
  const [, before = ''] = /^(https?:\/\/[^/?#]*)/i.exec(value) ?? [];
  return username === '' && password === '' && !before.includes('{token}');
}
