/** Maps the names that other systems use, in the form of {@link plainOf}, to the names that an import uses. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  mail: 'email',
  emailaddress: 'email',
  address: 'email',
  fullname: 'name',
  displayname: 'name',
  username: 'name',
  hash: 'password_hash',
  password: 'password_hash',
  encryptedpassword: 'password_hash',
  hashedpassword: 'password_hash',
  passworddigest: 'password_hash',
  verified: 'email_verified',
  confirmed: 'email_verified',
  emailconfirmed: 'email_verified',
  state: 'status',
  active: 'status',
  isactive: 'status',
  enabled: 'status',
  disabled: 'status',
  role: 'roles',
  groups: 'roles',
  created: 'created_at',
  datejoined: 'created_at',
  createdtimestamp: 'created_at',
};
const IDS: ReadonlySet<string> = new Set(['id', 'uid', 'uuid', 'userid', 'localid', 'sub']);
/** The maximum number of typing errors in a name that still gets a hint, and the maximum in a short name. */
const MAX_ERRORS = 2;
const MAX_ERRORS_OF_SHORT = 1;
const SHORT = 5;
const MAX_NAME_LENGTH = 40;
/** Matches names that can be shown. Others may be personal data in a file without a header. */
const NAME = /^[\p{L}\p{N}_$. -]+$/u;

/**
 * Returns advice on a name that is unknown but close to one that an import knows: in another spelling, by
 * another word, or with a typing error. Returns null for any other name.
 */
export function hintFor(name: string, known: readonly string[]): string | null {
  if (name.length > MAX_NAME_LENGTH) return null;
  const plain = plainOf(name);
  if (IDS.has(plain)) return 'leave it out, because an import gives each user a new id';
  const other = Object.hasOwn(OTHER_NAMES, plain) ? OTHER_NAMES[plain] : undefined;
  const meant = known.find((each) => each === other || isNear(plain, plainOf(each)));
  return meant === undefined ? null : `did you mean ${meant}?`;
}

/** Returns the fault of a file or row with an unknown name. Shows the name only if it cannot be personal data. */
export function unknownNameFault(
  what: 'column' | 'property',
  name: string,
  known: readonly string[],
): string {
  const hint = hintFor(name, known);
  if (hint !== null) return `${name} is no ${what} of an import; ${hint}`;
  const isShown = name.length <= MAX_NAME_LENGTH && NAME.test(name);
  return `${isShown ? `${name} is no ${what} of an import` : `contains an unknown ${what}`}; it may contain only ${known.join(', ')}`;
}

/** Returns the name in lower case without punctuation, so that `passwordHash` and `password_hash` compare equal. */
const plainOf = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');

function isNear(plain: string, known: string): boolean {
  const errors = known.length <= SHORT ? MAX_ERRORS_OF_SHORT : MAX_ERRORS;
  return Math.abs(plain.length - known.length) <= errors && distance(plain, known) <= errors;
}

/** Returns the number of letters to insert, delete or replace (Levenshtein). */
function distance(a: string, b: string): number {
  let former = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let at = 1; at <= b.length; at++) {
      const replaced = (former[at - 1] ?? 0) + (a[row - 1] === b[at - 1] ? 0 : 1);
      current.push(Math.min(replaced, (former[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1));
    }
    former = current;
  }
  return former[b.length] ?? 0;
}
