import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { EventResponse } from '../../../src/modules/events/dto/event.response.js';
import type { TestUser } from '../app/test-app.js';
import { until } from '../app/until.js';
import { bearer } from '../http/send.js';

export const PROTOCOL = 'gatehouse.v1';

interface ServerMessage {
  readonly type: 'event' | 'pong' | 'error';
  readonly position?: string;
  readonly event?: EventResponse;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A WebSocket with what it has received so far. */
export class TestSocket {
  readonly messages: ServerMessage[] = [];
  readonly closed: Promise<{ readonly code: number }>;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => this.messages.push(JSON.parse(data.toString()) as ServerMessage));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve({ code })));
  }

  /** Opens a socket with the access token. */
  static open(
    url: string,
    user: TestUser,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TestSocket> {
    return TestSocket.connect(url, [PROTOCOL], { ...bearer(user), ...headers });
  }

  /** Opens a socket. @throws Error with the status of a refusal */
  static async connect(
    url: string,
    protocols: readonly string[],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TestSocket> {
    const socket = new WebSocket(url.replace('http', 'ws') + '/ws', [...protocols], {
      headers,
      perMessageDeflate: true,
      skipUTF8Validation: true,
    });
    const opened = new TestSocket(socket);
    const refused = once(socket, 'unexpected-response').then(([, answer]) => {
      (answer as IncomingMessage).resume();
      socket.terminate();
      return (answer as IncomingMessage).statusCode;
    });
    const status = await Promise.race([once(socket, 'open'), refused, opened.closed.then(() => 0)]);
    if (typeof status === 'number') throw new Error(`the upgrade answered ${status}`);
    return opened;
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends bytes past the library, which would not send them. */
  write(bytes: Buffer): void {
    const { _socket: connection } = this.socket as unknown as { readonly _socket: Socket };
    connection.write(bytes);
  }

  get events(): EventResponse[] {
    return this.messages.flatMap(({ event }) => event ?? []);
  }

  get errors(): string[] {
    return this.messages.flatMap(({ error }) => error?.code ?? []);
  }

  /** Sends a ping and returns the position of the answer. Every message before it has been handled then. */
  async ping(): Promise<string> {
    const pongs = () => this.messages.filter(({ type }) => type === 'pong');
    const before = pongs().length;
    this.send({ type: 'ping' });
    await until(() => pongs().length > before);
    return pongs().at(-1)?.position ?? '';
  }

  async leave(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}
