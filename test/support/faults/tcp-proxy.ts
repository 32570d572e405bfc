import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Sits between the service and its database, so that a test can take the database away. Either it is cut off
 * (the server is gone and refuses), or it is silent (the path is dead without an error).
 */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  private silent = false;
  private fatal: string | null = null;
  private delayMs = 0;
  /** The number of connections that went silent because of a swallowed text. */
  swallowed = 0;

  private constructor(
    private readonly target: { readonly host: string; readonly port: number },
    private port: number,
  ) {}

  /** Creates a proxy in front of the server at that address. */
  static async before(url: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(url);
    const proxy = new TcpProxy({ host: hostname, port: Number(port || 5432) }, 0);
    await proxy.restore();
    return proxy;
  }

  /** Returns the same address through this proxy. */
  through(url: string): string {
    const address = new URL(url);
    address.hostname = '127.0.0.1';
    address.port = String(this.port);
    return address.href;
  }

  /** Returns the port of each connection to the server, as the server sees it. */
  get ports(): number[] {
    return [...this.sockets].flatMap(({ remotePort, localPort = 0 }) =>
      remotePort === this.target.port ? [localPort] : [],
    );
  }

  /** Ends every connection and refuses new ones. */
  async cut(): Promise<void> {
    const closed = this.server && once(this.server, 'close');
    this.server?.close();
    this.server = null;
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Keeps every connection open, including new ones, but passes nothing. */
  silence(): void {
    this.silent = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** Silences each connection over which a client sends this text; null stops that. */
  swallow(text: string | null): void {
    this.fatal = text;
  }

  /** Delays everything the server sends by this time from now on. */
  slow(delayMs: number): void {
    this.delayMs = delayMs;
  }

  /** Serves on the old port again and ends connections that were silent. */
  async restore(): Promise<void> {
    if (this.silent) for (const socket of this.sockets) socket.destroy();
    this.silent = false;
    if (this.server) return;
    this.server = createServer((socket) => this.accept(socket));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /**
   * Ends a silence for new connections only. Data sent before stays lost, as on a path that drops packets.
   */
  forgetOld(): void {
    this.silent = false;
  }

  private accept(client: Socket): void {
    this.track(client);
    if (this.silent) {
      client.pause();
      return;
    }
    const upstream = connect(this.target.port, this.target.host);
    this.track(upstream);
    // Not with pipe, whose own pausing would undo a silence.
    client.on('data', (chunk: Buffer) => {
      if (this.fatal === null || !chunk.includes(this.fatal)) return;
      this.swallowed++;
      for (const socket of [client, upstream]) socket.removeAllListeners('data').resume();
    });
    forward(client, upstream, () => 0);
    forward(upstream, client, () => this.delayMs);
  }

  private track(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }
}

function forward(from: Socket, to: Socket, delayMs: () => number): void {
  let lastDue = 0;
  from.on('data', (chunk: Buffer) => {
    const now = performance.now();
    // Keeps the order of the chunks.
    lastDue = Math.max(lastDue, now + delayMs());
    if (lastDue <= now) to.write(chunk);
    else setTimeout(() => to.writable && to.write(chunk), Math.ceil(lastDue - now));
  });
  from.on('end', () => to.end());
  from.on('close', () => to.destroy());
}
