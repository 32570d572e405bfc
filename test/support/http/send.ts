import { Agent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';

export interface Sent {
  readonly method?: string;
  /** The path with its query, percent-encoded by the caller and sent unchanged. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** A string is sent as UTF-8; any other value that is no Buffer is sent as JSON. */
  readonly body?: unknown;
  /** The local address to send from. The service admits few connections of one address that wait for a head. */
  readonly localAddress?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  /** The body parsed as JSON; undefined when it is not JSON. */
  readonly json: unknown;
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

/** Sends one request byte for byte. supertest would normalise paths, headers and bodies. */
export function send(
  url: string,
  { method = 'GET', path, headers = {}, body, localAddress }: Sent,
): Promise<Answer> {
  const bytes = bytesOf(body);
  const isJson = body !== undefined && headers['Content-Type'] === undefined;
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method,
      path,
      agent,
      localAddress,
      headers: {
        ...(isJson && { 'Content-Type': 'application/json' }),
        ...(bytes && { 'Content-Length': String(bytes.length) }),
        ...headers,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve(toAnswer(response.statusCode ?? 0, response.headers, Buffer.concat(chunks))),
      );
    });
    request.end(bytes);
  });
}

/** Closes the connections that `send` keeps, so that a server can close. */
export const closeConnections = (): void => agent.destroy();

export const bearer = (user: { readonly token: string }): Record<string, string> => ({
  Authorization: `Bearer ${user.token}`,
});

export function toAnswer(status: number, headers: IncomingHttpHeaders, bytes: Buffer): Answer {
  const text = bytes.toString('utf8');
  return { status, headers, text, bytes, json: parseOrUndefined(text) };
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
