import { envelopeOf, GatehouseError, sentError } from '../errors.js';
import type { ExportCompletionResponse, ExportLastLineResponse } from '../generated/types.gen.js';
import { linesOf } from './lines.js';
import { endedEarly, resuming, type StreamOptions } from './resume.js';

/** Requests the export with these further query parameters. */
export type OpenExport = (resume: Readonly<Record<string, string>>) => Promise<Response>;

/** Yields each row of an export once, over as many connections as it takes. */
export async function* rowsOf<T>(
  request: OpenExport,
  options: StreamOptions,
): AsyncGenerator<T, void, undefined> {
  let rows = 0;
  let cursor: string | null = null;
  let received = 0;
  async function* connect(): AsyncGenerator<T, void, undefined> {
    const response = await request(cursor === null ? {} : { after: cursor, received: String(received) });
    cursor = response.headers.get('X-Export-Cursor');
    // Without it, the rows could not be told apart after a lost connection.
    if (cursor === null) throw unexpected('the export has no X-Export-Cursor');
    received = 0;
    for await (const line of linesOf(bodyOf(response))) {
      const completion = completionOf(line);
      if (completion) {
        assertCount(completion, rows);
        return;
      }
      rows++;
      received++;
      yield JSON.parse(line) as T;
    }
    throw endedEarly();
  }
  yield* resuming(connect, options);
}

/** Returns the body of a response. A successful response to a GET has one. */
export function bodyOf({ body }: Response): ReadableStream<Uint8Array> {
  if (!body) throw unexpected('the response has no body');
  return body;
}

/** Returns the completion if the line is the last one, and null for a row. @throws GatehouseError for a line with an error */
function completionOf(line: string): ExportCompletionResponse | null {
  if (!/^\{"(?:_complete|error)":/.test(line)) return null;
  const last = JSON.parse(line) as Partial<ExportLastLineResponse>;
  const envelope = envelopeOf(last);
  if (envelope) throw sentError(envelope);
  const { _complete: completion = null } = last;
  return completion;
}

function assertCount({ count }: ExportCompletionResponse, rows: number): void {
  if (count === rows) return;
  throw unexpected(`the export has ${count} rows, and ${rows} were received`);
}

const unexpected = (message: string): GatehouseError =>
  new GatehouseError({ code: 'UNEXPECTED_RESPONSE', message });
