import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { clientNetwork } from '../../../common/http/client-network.js';

/** A head must arrive within 10 s; the difference covers the interval between two checks. */
const HEAD_TIMEOUT_MS = 9500;
const MAX_PER_NETWORK = 100;
const CHECK_INTERVAL_MS = 250;
/**
 * The number of checks after which an unfinished head counts, because a busy instance reads even a complete
 * head a little late.
 */
const COUNTED_AFTER_CHECKS = 4;
/**
 * A check that runs later than this does not count, because the instance was too busy to read what had
 * arrived.
 */
const LATE_LOOK_MS = 2 * CHECK_INTERVAL_MS;
/** The name of the symbol under which Node's server keeps its parsers. */
const CONNECTIONS = 'http.server.connections';

interface ParserList {
  active(): readonly { readonly socket: Socket | null }[];
}

interface Connection {
  answers: number;
  request: IncomingMessage | null;
  /** The number of bytes received by the end of the last response. Later bytes belong to the next head. */
  readBefore: number;
  /** True if the rest of a body was still arriving at that time. */
  bodyComes: boolean;
  /** The time since which it has been sending a head; null when it is not. */
  since: number | null;
  looks: number;
}

/**
 * Closes connections whose request head does not arrive and limits their number per network. `isTrusted`
 * identifies proxies, behind which many clients share an address.
 */
export class UnfinishedHeadsMonitor {
  private readonly connections = new Map<Socket, Connection>();
  private lookedAt = performance.now();

  constructor(private readonly isTrusted: (address: string) => boolean) {}

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.add(socket));
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) =>
      this.answering(request, response),
    );
    // The head has arrived, and what follows is another protocol.
    server.prependListener('upgrade', ({ socket }: IncomingMessage) => this.connections.delete(socket));
    const timer = setInterval(() => this.check(server), CHECK_INTERVAL_MS).unref();
    server.once('close', () => clearInterval(timer));
  }

  private add(socket: Socket): void {
    this.connections.set(socket, {
      answers: 0,
      request: null,
      readBefore: 0,
      bodyComes: false,
      since: performance.now(),
      looks: 0,
    });
    socket.once('close', () => this.connections.delete(socket));
  }

  private answering(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.connections.get(request.socket);
    if (!connection) return;
    connection.answers++;
    connection.request = request;
    connection.since = null;
    connection.looks = 0;
    response.once('close', () => {
      connection.answers--;
      connection.readBefore = request.socket.bytesRead;
      connection.bodyComes = !request.complete;
    });
  }

  private check(server: Server): void {
    const late: Socket[] = [];
    const byNetwork = new Map<string, Socket[]>();
    const parsing = socketsParsing(server);
    const now = performance.now();
    const isLate = now - this.lookedAt > LATE_LOOK_MS;
    this.lookedAt = now;
    for (const [socket, connection] of this.connections) {
      if (!isUnfinished(socket, connection, parsing)) continue;
      connection.since ??= now;
      if (!isLate) connection.looks++;
      if (now - connection.since > HEAD_TIMEOUT_MS) late.push(socket);
      else if (connection.looks >= COUNTED_AFTER_CHECKS) this.count(socket, byNetwork);
    }
    for (const socket of late) refuse(server, socket);
    // The oldest are closed, because newer ones may still become requests.
    for (const sockets of byNetwork.values()) {
      for (const socket of sockets.slice(0, -MAX_PER_NETWORK)) socket.destroy();
    }
  }

  private count(socket: Socket, byNetwork: Map<string, Socket[]>): void {
    const address = socket.remoteAddress ?? '';
    if (this.isTrusted(address)) return;
    const network = clientNetwork(address);
    const sockets = byNetwork.get(network) ?? [];
    sockets.push(socket);
    byNetwork.set(network, sockets);
  }
}

/**
 * Answers as for any other head that cannot be read. Closes a connection without a byte of a head silently, because a
 * client that is about to use it would take the answer for that of its request.
 */
function refuse(server: Server, socket: Socket): void {
  if (socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const error = new Error('The head did not arrive in time');
  server.emit('clientError', Object.assign(error, { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
}

function isUnfinished(socket: Socket, connection: Connection, parsing: ReadonlySet<Socket>): boolean {
  if (connection.answers > 0 || socket.destroyed) return false;
  if (connection.bodyComes) {
    connection.bodyComes = connection.request?.complete === false;
    connection.readBefore = socket.bytesRead;
    if (connection.bodyComes) return false;
  }
  // Empty lines before a head are bytes, but not yet a message.
  return connection.request === null || parsing.has(socket) || socket.bytesRead > connection.readBefore;
}

/**
 * Returns the sockets on which a message has begun but not ended. Only Node's parser knows whether bytes that
 * arrived with an earlier request began another one. Only its list of connections exposes this: the one that
 * `closeIdleConnections` reads.
 */
function socketsParsing(server: Server): ReadonlySet<Socket> {
  const key = Object.getOwnPropertySymbols(server).find((symbol) => symbol.description === CONNECTIONS);
  const list = key && (server as unknown as Record<symbol, ParserList | undefined>)[key];
  const sockets = new Set<Socket>();
  for (const { socket } of list?.active() ?? []) if (socket) sockets.add(socket);
  return sockets;
}
