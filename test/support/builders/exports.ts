import { createHash } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { type Answer, bearer, toAnswer } from '../http/send.js';
import type { TestUser } from '../app/test-app.js';

const agent = new Agent({ keepAlive: false, maxSockets: Infinity });

export interface Asked {
  readonly url: string;
  readonly user: { readonly token: string };
  /** The path with its query. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Exported extends Answer {
  readonly trailers: NodeJS.Dict<string>;
}

/** An export in progress: its head has arrived, and none of its body has been read. */
export class OpenExport {
  constructor(
    readonly request: ClientRequest,
    readonly response: IncomingMessage,
  ) {}

  static begin({ url, user, path = '/api/export/users', headers }: Asked): Promise<OpenExport> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(`${url}${path}`, { agent, headers: { ...bearer(user), ...headers } });
      request.once('error', reject);
      request.once('response', (response) => {
        request.on('error', () => {});
        response.on('error', () => {});
        resolve(new OpenExport(request, response));
      });
      request.end();
    });
  }

  /** Reads until `enough` returns true for the text so far, then aborts; without it reads to the end. */
  async read(enough: (text: string) => boolean = () => false): Promise<Exported & { complete: boolean }> {
    const { response } = this;
    const chunks: Buffer[] = [];
    let text = '';
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        text += chunk.toString('latin1');
        if (enough(text)) break;
      }
    } catch {
      // The other side aborted; what has arrived counts.
    }
    this.request.destroy();
    const answer = toAnswer(response.statusCode ?? 0, response.headers, Buffer.concat(chunks));
    return { ...answer, trailers: response.trailers, complete: response.complete };
  }
}

export const runExport = async (asked: Asked): Promise<Exported> => (await OpenExport.begin(asked)).read();

export function eventsOf(text: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(text);
  return events;
}

/**
 * Returns the complete lines of an NDJSON export, and the content of its last line if the export is complete.
 */
export function linesOf(text: string): {
  rows: string[];
  complete: { count: number; sha256: string } | null;
} {
  const lines = text.split('\n').slice(0, -1);
  const last = lines.at(-1) ?? '';
  if (!last.startsWith('{"_complete"')) return { rows: lines, complete: null };
  const { _complete: complete } = JSON.parse(last) as { _complete: { count: number; sha256: string } };
  return { rows: lines.slice(0, -1), complete };
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const asUser = (url: string, user: TestUser, path?: string): Asked => ({
  url,
  user,
  ...(path !== undefined && { path }),
});
