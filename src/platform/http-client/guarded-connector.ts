import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { buildConnector } from 'undici';
import type { OutboundTargetsService } from './outbound-targets.service.js';

/** The maximum time to open a connection, including TLS. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Refuses a connection because the target, or an address of its name, must not be called. */
export class RefusedTargetError extends Error {
  override readonly name = 'RefusedTargetError';
}

/** Resolves a name to all its addresses, as `lookup` of node:dns does. */
export type Resolve = (
  name: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Returns a connector that opens connections to allowed targets only. Each connection is judged anew, so that a
 * name that later resolves to a private address leads nowhere.
 */
export function createGuardedConnector(
  build: typeof buildConnector,
  targets: OutboundTargetsService,
  resolve: Resolve = lookup,
): buildConnector.connector {
  const connect = build({
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    lookup: createJudgedLookup(targets, resolve),
  });
  return (options, callback) => {
    // Node.js does not look up a literal address.
    if (targets.refusesLiteral(options.hostname))
      return callback(new RefusedTargetError('its address is private'), null);
    connect(options, callback);
  };
}

/**
 * Returns a `lookup` that judges every address of a name and fails if one is refused: an attacker who controls the
 * name must not gain by mixing addresses. The connection goes to the addresses returned and is not resolved again.
 */
export function createJudgedLookup(targets: OutboundTargetsService, resolve: Resolve): LookupFunction {
  return (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || first === undefined) return done(error ?? notFound(name), '');
      if (addresses.some(({ address }) => targets.refusesAddress(address)))
        return done(new RefusedTargetError('its name leads to a private address'), '');
      if (options.all) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}

const notFound = (name: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`no address of ${name}`), { code: 'ENOTFOUND' });
