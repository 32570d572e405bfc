import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

export interface CancelTarget {
  readonly host: string;
  readonly port: number;
  /** As of the connection whose query is cancelled; null: it is not encrypted. */
  readonly ssl: ConnectionOptions | null;
  readonly processId: number;
  readonly secretKey: number;
}

const CANCEL_REQUEST_CODE = 80877102;
const SSL_REQUEST_CODE = 80877103;
/** "S": the server goes on with TLS. */
const ACCEPTED = 0x53;
const TIMEOUT_MS = 2000;

/**
 * Sends a CancelRequest (PostgreSQL protocol, 54.2.8): a connection of its own that carries nothing
 * else, so it needs no place in the pool and passes through PgBouncer. The server never answers it;
 * a request that is lost leaves the query to run to its end.
 */
export function cancelQuery(target: CancelTarget): void {
  const socket = target.host.startsWith('/')
    ? connect(`${target.host}/.s.PGSQL.${target.port}`)
    : connect(target.port, target.host);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  const message = startMessage(CANCEL_REQUEST_CODE, target.processId, target.secretKey);
  if (target.ssl) sendEncrypted(socket, message, { ...target, ssl: target.ssl });
  else socket.end(message);
}

function sendEncrypted(
  socket: Socket,
  message: Buffer,
  { host, ssl }: { host: string; ssl: ConnectionOptions },
): void {
  socket.write(startMessage(SSL_REQUEST_CODE));
  socket.once('data', (answer) => {
    if (answer[0] !== ACCEPTED) {
      socket.destroy();
      return;
    }
    // A server name is a name: an address there is against RFC 6066.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const encrypted = connectTls({ ...ssl, key: ssl.key, socket, host, ...name });
    encrypted.on('error', () => socket.destroy());
    encrypted.end(message);
  });
}

/** Numbers of 32 bits after their length, as whoever connects begins. */
function startMessage(...numbers: number[]): Buffer {
  const message = Buffer.alloc(4 + 4 * numbers.length);
  for (const [index, number] of [message.length, ...numbers].entries())
    message.writeInt32BE(number, 4 * index);
  return message;
}
