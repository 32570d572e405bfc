import type { AppError } from '../../common/errors/app-error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { csvText } from './csv.js';
import type { Encoding } from './row-source.js';

export const exportFormats = ['sse', 'ndjson', 'csv'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** In the order in which they are preferred where a client takes several. */
export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
};

export interface Beginning {
  readonly export_id: string;
  readonly snapshot_at: string;
  readonly total_estimate: number;
}

export interface Completion {
  readonly count: number;
  readonly sha256: string;
}

/** How what an export says is written. An empty text is nothing to say. */
export interface Format {
  readonly encoding: Encoding;
  begin(beginning: Beginning, cursor: string): string;
  /** Behind each row; it is hashed with it. */
  readonly lineEnd: Buffer;
  /** Around each row and its line end, where they are not all, and around its cursor before them. */
  readonly wrap: { readonly cursor: Buffer; readonly row: Buffer; readonly after: Buffer } | null;
  progress(count: number, totalEstimate: number): string;
  complete(completion: Completion): string;
  /** Null: the connection is broken off instead. */
  error(error: AppError, requestId: string): string | null;
  readonly keepAlive: string;
}

const event = (name: string, data: object, id?: string): string =>
  `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

/** `rowEvent`: what the event of a row is called. */
function serverSentEvents(rowEvent: string): Format {
  return {
    encoding: 'json',
    begin: (beginning, cursor) => event('start', beginning, cursor),
    lineEnd: Buffer.from('\n'),
    wrap: {
      cursor: Buffer.from(`event: ${rowEvent}\nid: `),
      row: Buffer.from('\ndata: '),
      after: Buffer.from('\n'),
    },
    progress: (count, totalEstimate) => event('progress', { count, total_estimate: totalEstimate }),
    complete: (completion) => event('complete', completion),
    error: (error, requestId) => event('error', errorEnvelope(error, requestId)),
    keepAlive: ': keep-alive\n\n',
  };
}

const NDJSON: Format = {
  encoding: 'json',
  begin: () => '',
  lineEnd: Buffer.from('\n'),
  wrap: null,
  progress: () => '',
  complete: (completion) => `${JSON.stringify({ _complete: completion })}\n`,
  error: (error, requestId) => `${JSON.stringify(errorEnvelope(error, requestId))}\n`,
  keepAlive: '',
};

const CSV: Format = {
  encoding: 'csv',
  begin: () => '',
  lineEnd: Buffer.from('\r\n'),
  wrap: null,
  progress: () => '',
  complete: () => '',
  error: () => null,
  keepAlive: '',
};

export function formatOf(format: ExportFormat, rowEvent: string): Format {
  if (format === 'sse') return serverSentEvents(rowEvent);
  return format === 'ndjson' ? NDJSON : CSV;
}

/** The first record; the bytes are hashed as those of any other. */
export const csvHeader = (fields: readonly string[]): string => `${fields.map(csvText).join(',')}\r\n`;
