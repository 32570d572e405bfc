import { HashFault } from '../hash.types.js';

type Fields = Readonly<Record<string, unknown>>;

const SCHEME = 'a Keycloak credential';
const ALGORITHM = /^(?:argon2|pbkdf2(?:-sha(?:256|512))?)$/;
const ARGON2_VERSIONS: Readonly<Record<string, number>> = { '1.0': 16, '1.3': 19 };

/**
 * Returns the PHC spelling of a Keycloak credential: the object in a realm's export, whose `secretData` and
 * `credentialData` are JSON text, or its fields `algorithm`, `value`, `salt` and `hashIterations` (also
 * `iterations`) beside each other, as before Keycloak 8.
 */
export function keycloakSpelling(credential: Fields): string | HashFault {
  const secret = fieldsOf(credential['secretData'] ?? credential);
  const data = fieldsOf(credential['credentialData'] ?? credential);
  if (!secret || !data) return new HashFault(`is ${SCHEME} whose secretData or credentialData is not JSON`);
  const algorithm = data['algorithm'];
  const value = secret['value'] ?? secret['hashedSaltedValue'];
  const salt = secret['salt'];
  const iterations = Number(data['hashIterations'] ?? data['iterations']);
  if (typeof algorithm !== 'string') return new HashFault(`is ${SCHEME} without its algorithm`);
  if (!ALGORITHM.test(algorithm)) return new HashFault(`is ${SCHEME} with ${named(algorithm)}`);
  if (typeof value !== 'string') return new HashFault(`is ${SCHEME} without its value`);
  if (typeof salt !== 'string') return new HashFault(`is ${SCHEME} without its salt`);
  if (!Number.isSafeInteger(iterations)) return new HashFault(`is ${SCHEME} without its hashIterations`);
  const bytes = `${withoutPadding(salt)}$${withoutPadding(value)}`;
  if (algorithm !== 'argon2')
    return `$${algorithm === 'pbkdf2' ? 'pbkdf2-sha1' : algorithm}$i=${iterations}$${bytes}`;
  const more = fieldsOf(data['additionalParameters']) ?? {};
  const [type, version, memory, lanes] = ['type', 'version', 'memory', 'parallelism'].map((name) =>
    firstOf(more[name]),
  );
  const number = Object.hasOwn(ARGON2_VERSIONS, version ?? '') ? ARGON2_VERSIONS[version ?? ''] : version;
  return `$argon2${type}$v=${number}$m=${memory},t=${iterations},p=${lanes}$${bytes}`;
}

/** Returns the fields of an object, or of JSON text that is one; null for anything else. */
export function fieldsOf(given: unknown): Fields | null {
  let value = given;
  if (typeof given === 'string') {
    try {
      value = JSON.parse(given);
    } catch {
      return null;
    }
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

/** Keycloak writes each parameter as a list of one text. */
function firstOf(given: unknown): string | undefined {
  const value: unknown = Array.isArray(given) ? given[0] : given;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** Names the algorithm, unless it may be a value that stands in the wrong place. */
const named = (algorithm: string): string =>
  `the algorithm ${/^[\w-]{1,30}$/.test(algorithm) ? algorithm : ''}`.trimEnd() + ', which is not supported';

const withoutPadding = (base64: string): string => base64.replace(/={1,2}$/, '');
