import { connect } from 'node:net';

export interface CancelTarget {
  readonly host: string;
  readonly port: number;
  readonly processId: number;
  readonly secretKey: number;
}

const CANCEL_REQUEST_CODE = 80877102;
const TIMEOUT_MS = 2000;

/**
 * Sends a CancelRequest (PostgreSQL protocol, 54.2.8): a connection of its own that carries nothing
 * else, so it needs no place in the pool and passes through PgBouncer. The server never answers it;
 * a request that is lost leaves the query to run to its end.
 */
export function cancelQuery(target: CancelTarget): void {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  message.writeInt32BE(target.processId, 8);
  message.writeInt32BE(target.secretKey, 12);
  const socket = target.host.startsWith('/')
    ? connect(`${target.host}/.s.PGSQL.${target.port}`)
    : connect(target.port, target.host);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.end(message);
}
