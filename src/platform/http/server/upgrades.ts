import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SetMetadata } from '@nestjs/common';

/** A connection that asks to speak another protocol, and the bytes that already belong to it. */
export interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

const ACCEPTS_UPGRADES = 'gatehouse:accepts-upgrades';
const waiting = new WeakMap<IncomingMessage, Upgrade>();

/** Lets the handler of a GET route take over the connections of clients that ask for a WebSocket. */
export const AcceptsUpgrades = (): MethodDecorator => SetMetadata(ACCEPTS_UPGRADES, true);

export const acceptsUpgrades = (handler: object): boolean =>
  Reflect.getMetadata(ACCEPTS_UPGRADES, handler) === true;

/**
 * Passes upgrade requests for these paths through the same steps as every other request: edge, gate, controller. So each of
 * them has its ID, its limits, its caller, the usual error body and its log line. On any other path the request for an
 * upgrade is ignored, as HTTP allows (RFC 9110, 7.8).
 */
export function routeUpgrades(server: Server, isAccepted: (path: string) => boolean): void {
  // This is an option of createServer, which Nest calls. Node reads it from the server for each request.
  Object.assign(server, {
    shouldUpgradeCallback: ({ method, url = '', headers }: IncomingMessage): boolean =>
      method === 'GET' &&
      headers.upgrade?.toLowerCase() === 'websocket' &&
      isAccepted(url.split('?', 1)[0] ?? ''),
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Node has removed its own listener, and without one a reset would end the process.
    socket.on('error', destroy);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => {
      release(response, socket);
      socket.destroySoon();
    });
    waiting.set(request, { socket, head });
    server.emit('request', request, response);
  });
}

/** Tells whether the client asks for an upgrade that this server can carry out. */
export const asksForUpgrade = (request: IncomingMessage): boolean => waiting.has(request);

/**
 * Hands the connection over to the handler, and ends the exchange in the eyes of the edge with status 101. The handler must
 * send the response itself.
 */
export function takeUpgrade(request: IncomingMessage, response: ServerResponse): Upgrade | null {
  const upgrade = waiting.get(request);
  if (!upgrade || response.headersSent) return null;
  waiting.delete(request);
  const { socket } = upgrade;
  response.detachSocket(socket);
  socket.off('error', destroy);
  // Nothing is sent, because the response has no socket any more.
  response.writeHead(101);
  Object.assign(response, { finished: true });
  release(response, null);
  return upgrade;
}

function destroy(this: Socket): void {
  this.destroy();
}

/** Does what Node does after a response: the listeners of `close` wait for it. */
function release(response: ServerResponse, socket: Socket | null): void {
  if (socket) response.detachSocket(socket);
  response.emit('close');
}
