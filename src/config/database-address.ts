import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext, rootCertificates, getCACertificates } from 'node:tls';

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof MODES)[number];

/** Parameters that decide on TLS; the driver would give some of them a meaning of its own, and a warning on stderr. */
const OURS = [
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
/** Parameters of libpq that make a connection safer; to ignore one would be a surprise. */
const UNSUPPORTED = ['sslcrl', 'sslcrldir', 'sslcertmode', 'requiressl'];
/** Certificates of public authorities: the value of `sslrootcert` that asks for them. */
const SYSTEM = 'system';
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** A fault of an address, to be told after the name of its variable. */
export class AddressFault extends Error {
  override readonly name = 'AddressFault';

  /** @param variable the variable at fault, when it is not that of the address */
  constructor(
    message: string,
    readonly variable?: 'PGSSLMODE' | 'PGSSLROOTCERT',
  ) {
    super(message);
  }
}

export interface DatabaseAddress {
  /** The address without the parameters that decide on TLS. */
  readonly url: string;
  readonly mode: SslMode;
  /** Null with the mode `disable`, and over a Unix socket, where there is no TLS. */
  readonly tls: ConnectionOptions | null;
  /** A server that cannot prove who it is gets no connection. */
  readonly verifies: boolean;
  /** There is nobody in between. */
  readonly socket: boolean;
}

/**
 * Reads what an address says of TLS as libpq does (PostgreSQL, 32.19), with its files. It differs in two points:
 * without `sslmode` the connection is not encrypted, and without `sslrootcert` no file is looked for in the home
 * directory, so that `verify-full` trusts the public authorities.
 * @throws AddressFault that says what is wrong, without a secret
 */
export function readDatabaseAddress(given: string): DatabaseAddress {
  const url = new URL(given);
  const parameters = new Map(url.searchParams);
  for (const name of UNSUPPORTED) {
    if (parameters.has(name)) throw new AddressFault(`has the parameter ${name}, which is not supported`);
  }
  for (const name of OURS) url.searchParams.delete(name);
  const mode = modeOf(parameters);
  const socket = /^(?:\/|$|%2f)/i.test(parameters.get('host') ?? url.hostname);
  // The same text when nothing was taken out: to write an address anew may change its spelling.
  const bare = OURS.some((name) => parameters.has(name)) ? url.href : given;
  const encrypted = mode !== 'disable' && !socket;
  const tls = encrypted ? tlsOptions(mode, parameters) : null;
  return { url: bare, mode, tls, verifies: tls?.rejectUnauthorized === true && !isOptional(mode), socket };
}

/** Says what is wrong with the address in a variable, or null when nothing is. */
export function addressFault(name: string, given: string | undefined): string | null {
  if (given === undefined) return null;
  try {
    readDatabaseAddress(given);
    return null;
  } catch (error) {
    if (error instanceof AddressFault) return `${error.variable ?? name} ${error.message}`;
    throw error;
  }
}

const isOptional = (mode: SslMode): boolean => mode === 'allow' || mode === 'prefer';

function modeOf(parameters: ReadonlyMap<string, string>): SslMode {
  const own = ownModeOf(parameters);
  const given = own ?? environment('PGSSLMODE') ?? 'disable';
  const mode = given === 'no-verify' ? 'require' : given;
  const known = MODES.find((each) => each === mode);
  if (known !== undefined) return known;
  if (own === undefined) throw new AddressFault(`must be one of ${MODES.join(', ')}`, 'PGSSLMODE');
  throw new AddressFault(`has an unknown sslmode: it must be one of ${MODES.join(', ')}`);
}

/** Returns the mode that the address itself names. */
const ownModeOf = (parameters: ReadonlyMap<string, string>): string | undefined =>
  parameters.get('sslmode') ?? modeOfDriver(parameters.get('ssl'));

/** The parameter `ssl` is the driver's own, and not libpq's. */
function modeOfDriver(ssl: string | undefined): string | undefined {
  if (ssl === undefined) return undefined;
  if (ssl === '0' || ssl === 'false') return 'disable';
  return ssl === '1' || ssl === 'true' ? 'verify-full' : ssl;
}

function tlsOptions(mode: SslMode, parameters: ReadonlyMap<string, string>): ConnectionOptions {
  const ownRoot = parameters.get('sslrootcert');
  const root = ownRoot ?? environment('PGSSLROOTCERT');
  const rootVariable = ownRoot === undefined ? 'PGSSLROOTCERT' : undefined;
  if (mode === 'verify-ca' && root === undefined) {
    throw new AddressFault(
      'needs sslrootcert, a file with the certificate of the authority, for sslmode=verify-ca',
      ownModeOf(parameters) === undefined ? 'PGSSLMODE' : undefined,
    );
  }
  if (root === SYSTEM && mode !== 'verify-full') {
    throw new AddressFault('needs sslmode=verify-full for sslrootcert=system', rootVariable);
  }
  const options: ConnectionOptions = {
    ...authorities(root, rootVariable),
    ...ownCertificate(parameters),
    ...versions(parameters),
    rejectUnauthorized: root !== undefined || mode === 'verify-full',
    // Only `verify-full` compares names. What this returns is the fault that was found.
    ...(mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new AddressFault(`has TLS files that do not fit together (${codeOf(error)})`);
  }
  return options;
}

/** Uses a file of authorities in every mode that encrypts, as libpq does. */
function authorities(root: string | undefined, variable?: 'PGSSLROOTCERT'): ConnectionOptions {
  if (root === undefined) return {};
  if (root === SYSTEM) return { ca: [...rootCertificates, ...getCACertificates('system')] };
  const ca = contentOf('sslrootcert', root, variable);
  if (!isCertificate(ca)) {
    throw new AddressFault(`names an sslrootcert that holds no certificate in PEM (${root})`, variable);
  }
  return { ca };
}

/** The driver's TLS would take such a file for one without authorities. */
function isCertificate(pem: Buffer): boolean {
  try {
    return Boolean(new X509Certificate(pem));
  } catch {
    return false;
  }
}

function ownCertificate(parameters: ReadonlyMap<string, string>): ConnectionOptions {
  const [cert, key, passphrase] = ['sslcert', 'sslkey', 'sslpassword'].map((name) => parameters.get(name));
  if ((cert === undefined) !== (key === undefined)) {
    throw new AddressFault('needs both sslcert and sslkey, or neither');
  }
  if (cert === undefined || key === undefined) return {};
  return {
    cert: contentOf('sslcert', cert),
    key: contentOf('sslkey', key),
    ...(passphrase !== undefined && { passphrase }),
  };
}

function versions(parameters: ReadonlyMap<string, string>): ConnectionOptions {
  const version = (name: string) => {
    const given = parameters.get(name);
    const known = VERSIONS.find((each) => each === given);
    if (given !== undefined && known === undefined) {
      throw new AddressFault(`has a ${name} other than ${VERSIONS.join(' and ')}`);
    }
    return known;
  };
  const minVersion = version('ssl_min_protocol_version');
  const maxVersion = version('ssl_max_protocol_version');
  return { ...(minVersion && { minVersion }), ...(maxVersion && { maxVersion }) };
}

function contentOf(parameter: string, path: string, variable?: 'PGSSLROOTCERT'): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new AddressFault(`names an ${parameter} that cannot be read (${codeOf(error)}: ${path})`, variable);
  }
}

/** The defaults of every address that says nothing of its own. */
const environment = (name: 'PGSSLMODE' | 'PGSSLROOTCERT'): string | undefined =>
  process.env[name] || undefined;

const codeOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
