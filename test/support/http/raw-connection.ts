import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type Answer, toAnswer } from './send.js';
import { until } from '../app/until.js';

/** A bare TCP connection to the service, for bytes that no HTTP client would send. */
export class RawConnection {
  private static readonly all = new Set<RawConnection>();
  private received: Buffer = Buffer.alloc(0);
  closed = false;
  /** Set by a reset, which can destroy a response in transit. */
  failure: Error | null = null;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    socket.on('error', (error) => (this.failure = error));
    socket.on('close', () => (this.closed = true));
    socket.on('end', () => (this.closed = true));
  }

  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const connection = new RawConnection(socket);
    RawConnection.all.add(connection);
    return connection;
  }

  /**
   * Ends all connections. Call it after each test, because an open connection would keep the server from
   * closing.
   */
  static endAll(): void {
    for (const connection of RawConnection.all) connection.socket.destroy();
    RawConnection.all.clear();
  }

  write(data: string | Buffer): void {
    if (!this.socket.destroyed) this.socket.write(data);
  }

  /** Ends the connection with a reset, which discards what the service sends. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** True if nothing was received since the last response. */
  get isSilent(): boolean {
    return this.received.length === 0;
  }

  /** Tells whether everything written has left this process. */
  get flushed(): boolean {
    return this.socket.writableLength === 0;
  }

  /**
   * Returns the next response on this connection and removes it from the buffer. Supports Content-Length
   * only.
   */
  async answer(timeoutMs = 5000): Promise<Answer> {
    await until(() => this.parse() !== null, timeoutMs);
    const parsed = this.parse();
    if (!parsed) throw new Error('no answer');
    this.received = this.received.subarray(parsed.length);
    return parsed.answer;
  }

  private parse(): { answer: Answer; length: number } | null {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const [statusLine = '', ...lines] = this.received.toString('latin1', 0, end).split('\r\n');
    const headers: IncomingHttpHeaders = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const length = end + 4 + Number(headers['content-length'] ?? 0);
    if (this.received.length < length) return null;
    const status = Number(statusLine.split(' ')[1]);
    return { answer: toAnswer(status, headers, this.received.subarray(end + 4, length)), length };
  }
}
