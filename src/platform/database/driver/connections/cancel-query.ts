import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

export interface CancelTarget {
  readonly host: string;
  readonly port: number;
  /** TLS options of the connection whose query is cancelled; null when it is not encrypted. */
  readonly ssl: ConnectionOptions | null;
  readonly processId: number;
  readonly secretKey: number;
}

const CANCEL_REQUEST_CODE = 80877102;
const SSL_REQUEST_CODE = 80877103;
/** The reply "S": the server accepts TLS. */
const SSL_ACCEPTED = 0x53;
const TIMEOUT_MS = 2000;

/**
 * Sends a CancelRequest (PostgreSQL protocol, 54.2.8) over a separate connection that carries nothing else.
 * It needs no connection from the pool and works through PgBouncer. The server never answers it. If the
 * request is lost, the query runs to completion.
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
    if (answer[0] !== SSL_ACCEPTED) {
      socket.destroy();
      return;
    }
    // RFC 6066 forbids an IP address as the server name.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const encrypted = connectTls({ ...ssl, key: ssl.key, socket, host, ...name });
    encrypted.on('error', () => socket.destroy());
    encrypted.end(message);
  });
}

/** Builds a startup message: 32-bit integers preceded by their total length. */
function startMessage(...numbers: number[]): Buffer {
  const message = Buffer.alloc(4 + 4 * numbers.length);
  for (const [index, number] of [message.length, ...numbers].entries())
    message.writeInt32BE(number, 4 * index);
  return message;
}
