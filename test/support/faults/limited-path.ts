import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A path to a server on which each connection receives `bytes` bytes and then is cut off or stalls. */
export class LimitedPath {
  connections = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static to(target: string, bytes: number, then: 'cut' | 'stall'): Promise<LimitedPath> {
    return LimitedPath.open(target, (_, client, upstream) => {
      let left = bytes;
      upstream.on('data', (chunk: Buffer) => {
        client.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left > 0) return;
        upstream.pause();
        if (then === 'cut') client.end(() => upstream.destroy());
      });
    });
  }

  /** Cuts the first connection right after `text`, and no later one. */
  static cutOnceAfter(target: string, text: string): Promise<LimitedPath> {
    return LimitedPath.open(target, (connection, client, upstream) => {
      if (connection > 1) {
        upstream.pipe(client);
        return;
      }
      let received = Buffer.alloc(0);
      upstream.on('data', (chunk: Buffer) => {
        const sent = received.length;
        received = Buffer.concat([received, chunk]);
        const at = received.indexOf(text);
        client.write(received.subarray(sent, at < 0 ? undefined : at + text.length));
        if (at < 0) return;
        upstream.pause();
        client.end(() => upstream.destroy());
      });
    });
  }

  private static async open(
    target: string,
    forward: (connection: number, client: Socket, upstream: Socket) => void,
  ): Promise<LimitedPath> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const path = new LimitedPath(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('connection', (client) => {
      path.connections++;
      const upstream = connect(Number(port), hostname);
      path.join(client, upstream);
      forward(path.connections, client, upstream);
    });
    return path;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket, upstream: Socket): void {
    for (const socket of [client, upstream]) {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
    }
    client.pipe(upstream);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }
}
