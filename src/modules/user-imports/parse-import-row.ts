import { findCanonicalEmail } from '../../common/email-address.js';
import { canonicalLocale, DEFAULT_LOCALE } from '../../common/locale.js';
import { trimText } from '../../common/text.js';
import { unsafeTextFault } from '../../common/validation/json-text.js';
import { LOCALE_FAULT } from '../../common/validation/locale.decorator.js';
import { emailFault, nameFault } from '../../common/validation/text.decorators.js';
import { parseStoredHash } from '../../platform/crypto/passwords/stored-hash.js';
import { ROLE_NAME, ROLE_NAME_RULE } from '../roles/dto/role-name.decorator.js';
import type { ImportedUser } from '../users/commands/import-users.command.js';
import { MAX_ROLES_OF_USER } from '../users/dto/set-roles.dto.js';

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'email',
  'name',
  'locale',
  'password_hash',
  'email_verified',
  'status',
  'roles',
]);

/** A line of the body: the user to import, or the fault as text. */
export type ImportRow = ImportedUser | string;

type RawRow = Readonly<Record<string, unknown>>;

/** Validates a row by the rules for users created one by one. The fault never contains submitted values. */
export function parseImportRow(given: unknown): ImportRow {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'must be a JSON object';
  const row = given as RawRow;
  const fault = faultOf(row);
  if (fault !== null) return fault;
  const email = trimText(row['email'] as string);
  return {
    email,
    emailKey: findCanonicalEmail(email) ?? '',
    name: trimText(row['name'] as string),
    locale: canonicalLocale((row['locale'] as string | undefined) ?? DEFAULT_LOCALE) ?? DEFAULT_LOCALE,
    passwordHash: (row['password_hash'] as string | undefined) ?? null,
    emailVerified: row['email_verified'] === true,
    disabled: row['status'] === 'disabled',
    roles: ((row['roles'] as string[] | undefined) ?? ['user']).toSorted(),
  };
}

function faultOf({
  email,
  name,
  locale,
  password_hash: hash,
  email_verified: verified,
  status,
  roles,
  ...more
}: RawRow) {
  if (Object.keys(more).length > 0) return `may contain only ${[...KNOWN_FIELDS].join(', ')}`;
  if (typeof email !== 'string') return 'email must be an email';
  if (typeof name !== 'string') return 'name must be a string';
  const faults = [
    ['email', unsafeTextFault(email) ?? emailFault(trimText(email))],
    ['name', unsafeTextFault(name) ?? nameFault(trimText(name))],
    ['locale', localeFault(locale)],
    ['password_hash', hashFault(hash)],
    [
      'email_verified',
      verified === undefined || typeof verified === 'boolean' ? null : 'must be true or false',
    ],
    [
      'status',
      [undefined, 'active', 'disabled'].includes(status as string) ? null : 'must be active or disabled',
    ],
    ['roles', rolesFault(roles)],
  ] as const;
  const found = faults.find(([, fault]) => fault !== null);
  return found ? `${found[0]} ${found[1]}` : null;
}

function localeFault(locale: unknown): string | null {
  if (locale === undefined) return null;
  return typeof locale === 'string' && canonicalLocale(locale) !== null ? null : LOCALE_FAULT;
}

function hashFault(hash: unknown): string | null {
  if (hash === undefined) return null;
  return typeof hash === 'string' && parseStoredHash(hash) !== null
    ? null
    : 'must be an argon2, bcrypt, scrypt or pbkdf2 hash whose cost is within the limits';
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
