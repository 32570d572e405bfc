import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../api-client.js';
import { CliError, EXIT, usage } from '../exit.js';
import { Progress, tell } from '../output.js';
import { PartFile, type Place } from '../part-file.js';
import { RecordSplitter } from '../record-splitter.js';

/** In a row that bring nothing; each waits longer than the one before. */
const MAX_FRUITLESS = 8;
const FIRST_PAUSE_MS = 250;
const LINE_FEED = 0x0a;
const COMPLETE = '_complete';
/** What the last line of NDJSON says instead of a row. */
const CONTROL = /^\{"(?:_complete|error)":/;
/** The service is not able to just now; all else stays as it is. */
const PASSING: ReadonlySet<string> = new Set(['OVERLOADED', 'DB_ERROR', 'INTERNAL_ERROR', 'TIMEOUT']);

export interface ExportOptions {
  readonly kind: string;
  readonly format: 'ndjson' | 'csv';
  /** Of the query, besides the format. */
  readonly filters: URLSearchParams;
  /** `-` is the standard output. */
  readonly output: string;
  readonly restart: boolean;
}

/** Where rows go, and what is known of how far they are. */
interface Sink {
  readonly place: Place | null;
  add(bytes: Buffer, place: Omit<Place, 'bytes'>): Promise<void>;
  complete(): Promise<void>;
  /** Before it is whole. */
  leave(): Promise<void>;
}

/** The last line of NDJSON. */
interface Control {
  readonly [COMPLETE]?: Ending;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Ending {
  readonly count: number;
  readonly sha256: string;
}

/**
 * Brings an export to its end, over as many connections as it takes. One that cannot be brought to an end goes
 * on when the same is asked for again.
 * @throws CliError, also when the rows are not those that were sent
 */
export async function runExport(
  client: ApiClient,
  options: ExportOptions,
  interrupted: AbortSignal,
): Promise<void> {
  const { kind, format, filters, output } = options;
  if (kind !== 'users' && kind !== 'audit') throw usage('what is exported is users or audit');
  const asked = `${kind}?${new URLSearchParams([['format', format], ...filters]).toString()}`;
  const sink = output === '-' ? new StandardOutput() : await PartFile.open(output, asked, options.restart);
  if (sink.place) tell(`goes on after ${sink.place.rows} rows`);
  const progress = new Progress('rows', sink.place?.rows ?? 0);
  try {
    for (let fruitless = 0; ; fruitless++) {
      const before = sink.place?.rows ?? 0;
      try {
        await new Receiver(sink, asked, progress).receive(client, interrupted);
        break;
      } catch (error) {
        if (interrupted.aborted) throw new CliError('interrupted', EXIT.interrupted, { cause: error });
        if ((sink.place?.rows ?? 0) > before) fruitless = 0;
        if (!isPassing(error) || fruitless + 1 >= MAX_FRUITLESS) throw error;
        tell(`broken off (${error instanceof Error ? error.message : String(error)}): goes on`);
        await sleep(FIRST_PAUSE_MS * 2 ** fruitless);
      }
    }
  } catch (error) {
    await sink.leave();
    if (isPassing(error)) tell('the same command again goes on from here');
    throw error;
  } finally {
    progress.end();
  }
  await sink.complete();
  tell(`${sink.place?.rows ?? 0} rows, whole`);
}

const isPassing = (error: unknown): boolean =>
  !(error instanceof CliError) || error.exitCode === EXIT.unreachable;

/** One connection of an export. */
class Receiver {
  private readonly hash = createHash('sha256');
  private readonly splitter: RecordSplitter;
  private readonly rowsBefore: number;
  /** Of CSV, which comes before the first row. */
  private readonly headers: number;

  constructor(
    private readonly sink: Sink,
    private readonly asked: string,
    private readonly progress: Progress,
  ) {
    const isCsv = asked.includes('format=csv');
    this.rowsBefore = sink.place?.rows ?? 0;
    this.splitter = new RecordSplitter(isCsv);
    this.headers = isCsv && this.rowsBefore === 0 ? 1 : 0;
  }

  async receive(client: ApiClient, interrupted: AbortSignal): Promise<void> {
    const { place } = this.sink;
    const after = place
      ? `&${new URLSearchParams({ after: place.cursor, received: String(place.received) }).toString()}`
      : '';
    const answer = await client.stream({ path: `/api/export/${this.asked}${after}` });
    const stop = () => answer.destroy(new Error('interrupted'));
    interrupted.addEventListener('abort', stop);
    try {
      const ending = await this.readRows(answer);
      this.assertWhole(ending ?? trailersOf(answer));
    } finally {
      interrupted.removeEventListener('abort', stop);
    }
  }

  /** @returns what the last line says; null where there is none, as in CSV */
  private async readRows(answer: IncomingMessage): Promise<Ending | null> {
    const cursor = String(answer.headers['x-export-cursor']);
    const total = Number(answer.headers['x-total-estimate'] ?? 0);
    let control: string | null = null;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      let rows = this.splitter.push(chunk);
      if (rows.length === 0) continue;
      const lastAt = rows.lastIndexOf(LINE_FEED, rows.length - 2) + 1;
      const last = rows.toString('utf8', lastAt, lastAt + 20);
      if (CONTROL.test(last)) {
        control = rows.toString('utf8', lastAt);
        rows = rows.subarray(0, lastAt);
      }
      this.hash.update(rows);
      const received = this.splitter.records - this.headers - (control === null ? 0 : 1);
      await this.sink.add(rows, {
        asked: this.asked,
        cursor,
        received,
        rows: this.rowsBefore + received,
      });
      this.progress.to(this.rowsBefore + received, total);
    }
    return control === null ? null : endingOf(control);
  }

  private assertWhole(ending: Ending | null): void {
    if (!ending) throw new CliError('the connection was broken off', EXIT.unreachable);
    const rows = this.sink.place?.rows ?? 0;
    if (ending.count !== rows) {
      throw new CliError(`${rows} rows have come of ${ending.count}: --restart begins anew`, EXIT.failed);
    }
    if (ending.sha256 !== this.hash.digest('hex')) {
      throw new CliError('the rows are not those that were sent: --restart begins anew', EXIT.failed);
    }
  }
}

/** @throws CliError when it is an error */
function endingOf(line: string): Ending {
  const said = JSON.parse(line) as Control;
  if (said[COMPLETE]) return said[COMPLETE];
  if (!said.error) throw new CliError(`the export ended with ${line}`, EXIT.failed);
  const { code, message } = said.error;
  throw new CliError(`${code}: ${message}`, PASSING.has(code) ? EXIT.unreachable : EXIT.refused);
}

function trailersOf({ complete, trailers }: IncomingMessage): Ending | null {
  const { 'x-export-count': count, 'x-export-sha256': sha256 } = trailers;
  return complete && count !== undefined && sha256 !== undefined ? { count: Number(count), sha256 } : null;
}

/** Rows that are handed on at once: what broke off goes on within the same run alone. */
class StandardOutput implements Sink {
  place: Place | null = null;

  async add(bytes: Buffer, place: Omit<Place, 'bytes'>): Promise<void> {
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
    this.place = { ...place, bytes: 0 };
  }

  async complete(): Promise<void> {}

  async leave(): Promise<void> {}
}
