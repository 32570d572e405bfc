// Starts the peers of `bench/peers`, on the database of the service and with the same Node.js flags.

import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import { MeasuredProcess } from './processes.mjs';

const SECRET = 'only for the peers of the benchmarks';
const ANNOUNCEMENT = /^listening on (\S+)$/m;

/**
 * Starts a peer.
 * @param {string} name a file of `bench/peers` without its extension
 * @param {Readonly<Record<string, string>>} [environment]
 */
export function startPeer(name, environment = {}) {
  return startPeerAt(join(import.meta.dirname, '../peers', `${name}.mjs`), environment);
}

/** Starts a peer that was compiled to that path. */
export function startPeerAt(entry, environment) {
  return MeasuredProcess.start(entry, {
    environment: { NODE_ENV: 'production', JWT_SECRET: SECRET, ...environment },
    announcement: ANNOUNCEMENT,
  });
}

/** Returns an access token that every peer accepts. */
export function peerToken({ id }) {
  return jwt.sign({ sub: id }, SECRET, { algorithm: 'HS256', expiresIn: '1d' });
}
