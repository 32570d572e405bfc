import { findCanonicalEmail, isShortEnough } from '../../common/email-address.js';
import { canonicalLocale } from '../../common/locale.js';
import { hasControlCharacters, trimText } from '../../common/text.js';
import { unsafeTextFault } from '../../common/validation/json-text.js';
import { LOCALE_FAULT } from '../../common/validation/locale.decorator.js';
import { emailFault, nameFault } from '../../common/validation/text.decorators.js';
import { HashFault } from '../../platform/crypto/passwords/hash.types.js';
import { readImportedHash } from '../../platform/crypto/passwords/imported-hash.js';
import { parseTime } from '../../common/validation/time.decorator.js';
import { ROLE_NAME, ROLE_NAME_RULE } from '../roles/dto/role-name.decorator.js';
import type { ImportedUser } from '../users/commands/import-users.command.js';
import { MAX_ROLES_OF_USER } from '../users/dto/set-roles.dto.js';
import { type ImportField, importFields, isKnownField } from './import-fields.js';
import { unknownNameFault } from './unknown-field.js';

/** The time in ms by which the clock of another system may be ahead. */
const CLOCK_TOLERANCE_MS = 60_000;

/** A line of the body: the user to import, or the fault as text. */
export type ImportRow = ImportedUser | string;

type RawRow = Readonly<Record<string, unknown>>;
type Fields = Readonly<Partial<Record<ImportField, unknown>>>;

/** The spellings of a boolean in other systems, in lower case. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  t: true,
  yes: true,
  y: true,
  1: true,
  false: false,
  f: false,
  no: false,
  n: false,
  0: false,
};
/** Separates the roles in a text. */
const BETWEEN_ROLES = /[,;|]/;

/** Validates a row by the rules for users created one by one. The fault never contains submitted values. */
export function parseImportRow(row: RawRow): ImportRow {
  const unknown = Object.keys(row).find((name) => !isKnownField(name));
  if (unknown !== undefined) return unknownNameFault('property', unknown, importFields);
  const fields = normalized(row);
  const fault = faultOf(fields);
  if (fault !== null) return fault;
  const hash = fields.password_hash === undefined ? null : readImportedHash(fields.password_hash);
  if (hash instanceof HashFault) return `password_hash ${hash.reason}`;
  const email = trimText(fields.email as string);
  const { name, locale, roles, status, created_at: time } = fields;
  return {
    email,
    emailKey: findCanonicalEmail(email) ?? '',
    name: name === undefined ? null : trimText(name as string),
    locale: locale === undefined ? null : canonicalLocale(locale as string),
    passwordHash: hash,
    emailVerified: (fields.email_verified as boolean | undefined) ?? null,
    disabled: status === undefined ? null : status === 'disabled',
    roles: (roles as string[] | undefined)?.toSorted() ?? null,
    createdAt: time === undefined ? null : parseTime(time as string),
  };
}

/** Returns the address of a row as given, even if the row is faulty. Returns null for text that cannot be an address. */
export function findGivenEmail({ email }: RawRow): string | null {
  if (typeof email !== 'string' || !isShortEnough(email) || hasControlCharacters(email)) return null;
  return trimText(email) || null;
}

/** Omits absent fields and converts the spellings of other systems. Leaves a value that it cannot convert unchanged. */
function normalized(row: RawRow): Fields {
  const fields: Partial<Record<ImportField, unknown>> = {};
  for (const field of importFields) {
    const value = row[field];
    if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) continue;
    fields[field] = converters[field]?.(value) ?? value;
  }
  return fields;
}

/** Each returns undefined for a value that it cannot convert. */
const converters: Readonly<Partial<Record<ImportField, (value: unknown) => unknown>>> = {
  email_verified: (value) =>
    typeof value === 'string' || typeof value === 'number'
      ? BOOLEANS[String(value).trim().toLowerCase()]
      : undefined,
  status: (value) => (typeof value === 'string' ? value.trim().toLowerCase() : undefined),
  roles: (value) =>
    typeof value === 'string' ? value.split(BETWEEN_ROLES).map((role) => role.trim()) : undefined,
  created_at: (value) => (typeof value === 'string' ? value.trim().replace(' ', 'T') : undefined),
};

function faultOf(fields: Fields): string | null {
  const { email, name, locale, email_verified: verified, status, roles, created_at: time } = fields;
  if (email === undefined) return 'email is required';
  if (typeof email !== 'string') return 'email must be an email';
  if (name !== undefined && typeof name !== 'string') return 'name must be a string';
  const faults = [
    ['email', unsafeTextFault(email) ?? emailFault(trimText(email))],
    ['name', name === undefined ? null : (unsafeTextFault(name) ?? nameFault(trimText(name)))],
    ['locale', localeFault(locale)],
    [
      'email_verified',
      verified === undefined || typeof verified === 'boolean' ? null : 'must be true or false',
    ],
    [
      'status',
      [undefined, 'active', 'disabled'].includes(status as string) ? null : 'must be active or disabled',
    ],
    ['roles', rolesFault(roles)],
    ['created_at', timeFault(time)],
  ] as const;
  const found = faults.find(([, fault]) => fault !== null);
  return found ? `${found[0]} ${found[1]}` : null;
}

function localeFault(locale: unknown): string | null {
  if (locale === undefined) return null;
  return typeof locale === 'string' && canonicalLocale(locale) !== null ? null : LOCALE_FAULT;
}

function timeFault(time: unknown): string | null {
  if (time === undefined) return null;
  const at = typeof time === 'string' ? parseTime(time) : null;
  if (at === null) return 'must be an RFC 3339 time';
  return Date.parse(at) > Date.now() + CLOCK_TOLERANCE_MS ? 'must not be in the future' : null;
}

function rolesFault(roles: unknown): string | null {
  if (roles === undefined) return null;
  if (!Array.isArray(roles) || roles.length < 1 || roles.length > MAX_ROLES_OF_USER) {
    return `must be a list of 1 to ${MAX_ROLES_OF_USER} role names`;
  }
  if (!roles.every((role) => typeof role === 'string' && ROLE_NAME.test(role)))
    return `each ${ROLE_NAME_RULE}`;
  return new Set(roles).size === roles.length ? null : 'must not contain duplicates';
}
