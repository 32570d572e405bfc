import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { awaitDatabase } from './await-database.js';

const REFUSAL = 'SFATAL\0C28P01\0Mpassword authentication failed\0\0';

describe('awaitDatabase', () => {
  let server: Server;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  /** Waits for a server that handles each connection with `serve`. */
  async function waitFor(serve: (socket: Socket) => void, onWaiting: (reason: string) => void) {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      serve(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const url = `postgres://somebody:word@127.0.0.1:${port}/none`;
    const signal = new AbortController().signal;
    return awaitDatabase([{ name: 'DATABASE_URL', url }], { timeoutMs: 0, signal, onWaiting });
  }

  it('reports nothing when the process was too busy to read a refusal', async () => {
    const reasons: string[] = [];
    const waiting = waitFor(
      (socket) => {
        socket.once('data', () => {
          const length = Buffer.alloc(4);
          length.writeInt32BE(REFUSAL.length + 4);
          socket.end(Buffer.concat([Buffer.from('E'), length, Buffer.from(REFUSAL)]));
        });
        // Blocks the event loop, as loading the service does.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500);
      },
      (reason) => reasons.push(reason),
    );
    await expect(waiting).rejects.toThrow(
      'The database cannot be reached: password authentication failed (DATABASE_URL)',
    );
    expect(reasons).toEqual([]);
  });

  it('reports a server that leaves an attempt unanswered', async () => {
    const startedAt = performance.now();
    const told = Promise.withResolvers<[string, number]>();
    const waiting = waitFor(
      () => undefined,
      (reason) => told.resolve([reason, performance.now() - startedAt]),
    ).catch((error: unknown) => error);
    const [reason, afterMs] = await told.promise;
    expect(reason).toBe('it does not answer');
    expect(afterMs).toBeGreaterThan(1900);
    for (const socket of sockets) socket.destroy();
    expect(await waiting).toBeInstanceOf(Error);
  });
});
