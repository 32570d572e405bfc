import type { AppError } from '../../../common/errors/app.error.js';
import { errorEnvelope } from '../../../common/errors/error-body.js';
import type {
  ExportCompletionResponse,
  ExportLastLineResponse,
  ExportProgressResponse,
  ExportStartResponse,
} from '../dto/export-events.response.js';
import { csvText } from './csv.js';
import type { Encoding } from '../sources/row-source.types.js';

export const exportFormats = ['sse', 'ndjson', 'csv'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** The media types in order of preference, for clients that accept several. */
export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
};

export type ExportHead = Readonly<ExportStartResponse>;
export type Completion = Readonly<ExportCompletionResponse>;

/** The output format of an export. An empty string sends nothing. */
export interface ExportEncoding {
  readonly encoding: Encoding;
  begin(beginning: ExportHead, cursor: string): string;
  /** The bytes after each row, included in its hash. */
  readonly lineEnd: Buffer;
  /**
   * The bytes around each row when a row needs more than its line end: before the cursor, before the row and
   * after it.
   */
  readonly wrap: { readonly cursor: Buffer; readonly row: Buffer; readonly after: Buffer } | null;
  progress(count: number, totalEstimate: number): string;
  complete(completion: Completion): string;
  /**
   * Formats an error, or returns null when the format cannot express one. The connection is then cut instead.
   */
  error(error: AppError, requestId: string): string | null;
  readonly keepAlive: string;
}

const event = (name: string, data: object, id?: string): string =>
  `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

/** Formats rows as server-sent events. `rowEvent` is the event name of a row. */
function serverSentEvents(rowEvent: string): ExportEncoding {
  return {
    encoding: 'json',
    begin: (beginning, cursor) => event('start', beginning, cursor),
    lineEnd: Buffer.from('\n'),
    wrap: {
      cursor: Buffer.from(`event: ${rowEvent}\nid: `),
      row: Buffer.from('\ndata: '),
      after: Buffer.from('\n'),
    },
    progress: (count, totalEstimate) =>
      event('progress', { count, total_estimate: totalEstimate } satisfies ExportProgressResponse),
    complete: (completion) => event('complete', completion),
    error: (error, requestId) => event('error', errorEnvelope(error, requestId)),
    keepAlive: ': keep-alive\n\n',
  };
}

const NDJSON: ExportEncoding = {
  encoding: 'json',
  begin: () => '',
  lineEnd: Buffer.from('\n'),
  wrap: null,
  progress: () => '',
  complete: (completion) => `${JSON.stringify({ _complete: completion } satisfies ExportLastLineResponse)}\n`,
  error: (error, requestId) => `${JSON.stringify(errorEnvelope(error, requestId))}\n`,
  keepAlive: '',
};

const CSV: ExportEncoding = {
  encoding: 'csv',
  begin: () => '',
  lineEnd: Buffer.from('\r\n'),
  wrap: null,
  progress: () => '',
  complete: () => '',
  error: () => null,
  keepAlive: '',
};

export function formatOf(format: ExportFormat, rowEvent: string): ExportEncoding {
  if (format === 'sse') return serverSentEvents(rowEvent);
  return format === 'ndjson' ? NDJSON : CSV;
}

/** Formats the header record, which is hashed like any other record. */
export const csvHeader = (fields: readonly string[]): string => `${fields.map(csvText).join(',')}\r\n`;
