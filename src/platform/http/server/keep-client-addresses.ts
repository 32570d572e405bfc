import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Reads the address of each client when it connects. Node keeps it from then on. Read later, it would be missing for
 * clients who reset the connection after their request, and these could hide from rate limits and the audit log.
 * Closes connections that have already been reset.
 */
export function keepClientAddresses(server: Server): void {
  server.on('connection', (socket: Socket) => {
    if (socket.remoteAddress === undefined) socket.destroy();
  });
}
