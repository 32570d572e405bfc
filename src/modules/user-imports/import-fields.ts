import type { UserResponse } from '../users/dto/user.response.js';

/** The properties of a row, which are also the columns of a CSV file. */
export const importFields = [
  'email',
  'name',
  'locale',
  'password_hash',
  'email_verified',
  'status',
  'roles',
  'created_at',
] as const;
export type ImportField = (typeof importFields)[number];

/**
 * The other properties in an export of users. An import ignores them, so that it reads every export. A new property of users must join one of the two lists; otherwise the compiler reports it.
 */
const readOnlyFields = {
  id: true,
  version: true,
  last_login_at: true,
  updated_at: true,
} satisfies Record<Exclude<keyof UserResponse, ImportField>, true>;

const imported: ReadonlySet<string> = new Set(importFields);

/** Returns true for a property that an import reads or ignores. */
export const isKnownField = (name: string): boolean =>
  imported.has(name) || Object.hasOwn(readOnlyFields, name);
