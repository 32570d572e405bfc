import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedRequest {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers a request; `count` is the number of the request, from 0. */
export type Answer = (request: ReceivedRequest, response: ServerResponse, count: number) => unknown;

/** A real HTTP server whose answers a test chooses, on connections that it can cut. */
export class ScriptedServer {
  readonly requests: ReceivedRequest[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(answer: Answer): Promise<ScriptedServer> {
    const server = createServer((request, response) => {
      void (async () => {
        const received = await receive(request);
        scripted.requests.push(received);
        await answer(received, response, scripted.requests.length - 1);
      })();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const scripted = new ScriptedServer(server, `http://127.0.0.1:${port}`);
    return scripted;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const { method = '', url: path = '', headers } = request;
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return { method, path, headers, body: Buffer.concat(chunks).toString() };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Sends an error as the service does. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const error = { code, message: `it is ${code}`, request_id: 'r-1' };
  sendJson(response, status, { error }, { 'X-Request-Id': 'r-1', ...headers });
}

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Returns what the service sends at a sign-in: tokens of a user, told apart by their number. */
export function tokenResponse(user: string, number: number, expires_in = 900) {
  const token = (kind: string) => `${base64url({ kind })}.${base64url({ sub: user, number })}.signature`;
  return {
    access_token: token('access'),
    refresh_token: token('refresh'),
    token_type: 'Bearer' as const,
    expires_in,
  };
}
