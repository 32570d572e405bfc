import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext, rootCertificates, getCACertificates } from 'node:tls';

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/**
 * The parameters for TLS that this module handles. The driver would interpret some of them differently and
 * warn on stderr.
 */
const TLS_PARAMETERS = [
  'ssl',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'ssl_min_protocol_version',
  'ssl_max_protocol_version',
  'uselibpqcompat',
] as const;
/** libpq parameters that make a connection safer. Ignoring them silently would be dangerous. */
const UNSUPPORTED = ['sslcrl', 'sslcrldir', 'sslcertmode', 'requiressl'];
/** The value of `sslrootcert` that selects the certificates of public authorities. */
const SYSTEM_AUTHORITIES = 'system';
const TLS_VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** An error in an address. Its message follows the name of the variable. */
export class DatabaseAddressError extends Error {
  override readonly name = 'DatabaseAddressError';

  /** @param variable the variable at fault, if it is not the address itself */
  constructor(
    message: string,
    readonly variable?: 'PGSSLMODE' | 'PGSSLROOTCERT',
  ) {
    super(message);
  }
}

export interface DatabaseAddress {
  /** The address without the TLS parameters. */
  readonly url: string;
  readonly mode: SslMode;
  /** Null with the mode `disable`, and over a Unix socket, which has no TLS. */
  readonly tls: ConnectionOptions | null;
  /** True if the client refuses a server that cannot prove its identity. */
  readonly verifies: boolean;
  /** True for a Unix socket, which no third party can intercept. */
  readonly socket: boolean;
}

/**
 * Reads the TLS settings of an address as libpq does (PostgreSQL, 32.19), and loads their files. It differs
 * from libpq in two points. Without `sslmode` the connection is not encrypted. Without `sslrootcert` it
 * ignores files in the home directory, so `verify-full` trusts the public authorities.
 * @throws DatabaseAddressError without secrets in its message
 */
export function readDatabaseAddress(given: string): DatabaseAddress {
  const url = new URL(given);
  const parameters = new Map(url.searchParams);
  for (const name of UNSUPPORTED) {
    if (parameters.has(name))
      throw new DatabaseAddressError(`has the parameter ${name}, which is not supported`);
  }
  for (const name of TLS_PARAMETERS) url.searchParams.delete(name);
  const mode = modeOf(parameters);
  const socket = /^(?:\/|$|%2f)/i.test(parameters.get('host') ?? url.hostname);
  // Keeps the original text if no parameter was removed, because formatting a URL may change its spelling.
  const bare = TLS_PARAMETERS.some((name) => parameters.has(name)) ? url.href : given;
  const encrypted = mode !== 'disable' && !socket;
  const tls = encrypted ? tlsOptions(mode, parameters) : null;
  return { url: bare, mode, tls, verifies: tls?.rejectUnauthorized === true && !isOptional(mode), socket };
}

/** Returns the error of the address in a variable, or null if it is valid. */
export function addressFault(name: string, given: string | undefined): string | null {
  if (given === undefined) return null;
  try {
    readDatabaseAddress(given);
    return null;
  } catch (error) {
    if (error instanceof DatabaseAddressError) return `${error.variable ?? name} ${error.message}`;
    throw error;
  }
}

const isOptional = (mode: SslMode): boolean => mode === 'allow' || mode === 'prefer';

function modeOf(parameters: ReadonlyMap<string, string>): SslMode {
  const own = explicitModeOf(parameters);
  const given = own ?? environmentDefaults('PGSSLMODE') ?? 'disable';
  const mode = given === 'no-verify' ? 'require' : given;
  const known = SSL_MODES.find((each) => each === mode);
  if (known !== undefined) return known;
  if (own === undefined)
    throw new DatabaseAddressError(`must be one of ${SSL_MODES.join(', ')}`, 'PGSSLMODE');
  throw new DatabaseAddressError(`has an unknown sslmode; it must be one of ${SSL_MODES.join(', ')}`);
}

/** Returns the mode that the address itself specifies. */
const explicitModeOf = (parameters: ReadonlyMap<string, string>): string | undefined =>
  parameters.get('sslmode') ?? modeOfDriverParameter(parameters.get('ssl'));

/** Translates `ssl`, which is a parameter of the driver, not of libpq. */
function modeOfDriverParameter(ssl: string | undefined): string | undefined {
  if (ssl === undefined) return undefined;
  if (ssl === '0' || ssl === 'false') return 'disable';
  return ssl === '1' || ssl === 'true' ? 'verify-full' : ssl;
}

function tlsOptions(mode: SslMode, parameters: ReadonlyMap<string, string>): ConnectionOptions {
  const ownRoot = parameters.get('sslrootcert');
  const root = ownRoot ?? environmentDefaults('PGSSLROOTCERT');
  const rootVariable = ownRoot === undefined ? 'PGSSLROOTCERT' : undefined;
  if (mode === 'verify-ca' && root === undefined) {
    throw new DatabaseAddressError(
      'needs sslrootcert, a file with the certificate of the authority, for sslmode=verify-ca',
      explicitModeOf(parameters) === undefined ? 'PGSSLMODE' : undefined,
    );
  }
  if (root === SYSTEM_AUTHORITIES && mode !== 'verify-full') {
    throw new DatabaseAddressError('needs sslmode=verify-full for sslrootcert=system', rootVariable);
  }
  const options: ConnectionOptions = {
    ...readAuthorities(root, rootVariable),
    ...readClientCertificate(parameters),
    ...tlsVersions(parameters),
    rejectUnauthorized: root !== undefined || mode === 'verify-full',
    // Only `verify-full` compares host names. The function returns the error, so `undefined` accepts any
    // name.
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new DatabaseAddressError(`has TLS files that do not match (${codeOf(error)})`);
  }
  return options;
}

/** Loads the file of authorities in every mode that encrypts, as libpq does. */
function readAuthorities(root: string | undefined, variable?: 'PGSSLROOTCERT'): ConnectionOptions {
  if (root === undefined) return {};
  if (root === SYSTEM_AUTHORITIES) return { ca: [...rootCertificates, ...getCACertificates('system')] };
  const ca = readParameterFile('sslrootcert', root, variable);
  if (!isCertificate(ca)) {
    throw new DatabaseAddressError(
      `names an sslrootcert that contains no PEM certificate (${root})`,
      variable,
    );
  }
  return { ca };
}

/** Checks for a certificate, because the driver's TLS would silently treat such a file as an empty list. */
function isCertificate(pem: Buffer): boolean {
  try {
    return Boolean(new X509Certificate(pem));
  } catch {
    return false;
  }
}

function readClientCertificate(parameters: ReadonlyMap<string, string>): ConnectionOptions {
  const [cert, key, passphrase] = ['sslcert', 'sslkey', 'sslpassword'].map((name) => parameters.get(name));
  if ((cert === undefined) !== (key === undefined)) {
    throw new DatabaseAddressError('needs both sslcert and sslkey, or neither');
  }
  if (cert === undefined || key === undefined) return {};
  return {
    cert: readParameterFile('sslcert', cert),
    key: readParameterFile('sslkey', key),
    ...(passphrase !== undefined && { passphrase }),
  };
}

function tlsVersions(parameters: ReadonlyMap<string, string>): ConnectionOptions {
  const version = (name: string) => {
    const given = parameters.get(name);
    const known = TLS_VERSIONS.find((each) => each === given);
    if (given !== undefined && known === undefined) {
      throw new DatabaseAddressError(`has a ${name} other than ${TLS_VERSIONS.join(' and ')}`);
    }
    return known;
  };
  const minVersion = version('ssl_min_protocol_version');
  const maxVersion = version('ssl_max_protocol_version');
  return { ...(minVersion && { minVersion }), ...(maxVersion && { maxVersion }) };
}

function readParameterFile(parameter: string, path: string, variable?: 'PGSSLROOTCERT'): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new DatabaseAddressError(
      `names an ${parameter} that cannot be read (${codeOf(error)}: ${path})`,
      variable,
    );
  }
}

/** Returns the default for addresses that do not set the parameter themselves. */
const environmentDefaults = (name: 'PGSSLMODE' | 'PGSSLROOTCERT'): string | undefined =>
  process.env[name] || undefined;

const codeOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
