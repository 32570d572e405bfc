import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { extname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../api.client.js';
import { CliError, EXIT_CODES, usageError } from '../cli.error.js';
import { defineCommand } from '../command-line/command.types.js';
import { parseFilters } from '../command-line/flag-values.js';
import { ProgressReporter, printStatus } from '../output/console-output.js';
import { PartFile, type ResumePoint } from '../part-file.js';
import { RecordSplitter } from '../record.splitter.js';

/** The maximum number of consecutive attempts without progress. The pause doubles with each one. */
const MAX_FRUITLESS_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 250;
const FORMATS = ['ndjson', 'csv'] as const;
type Format = (typeof FORMATS)[number];
const DEFAULT_FORMAT: Format = 'ndjson';
/** The ends of names that promise what an export is not. */
const OTHER_FORMATS: readonly string[] = ['json', 'gz'];
const LINE_FEED = 0x0a;
const COMPLETE = '_complete';
/** Matches the final line of NDJSON, which is not a row. */
const LAST_LINE = /^\{"(?:_complete|error)":/;
/** The error codes of temporary failures. After any other error, a retry is pointless. */
const TRANSIENT_CODES: ReadonlySet<string> = new Set(['OVERLOADED', 'DB_ERROR', 'INTERNAL_ERROR', 'TIMEOUT']);

interface ExportOptions {
  readonly kind: string;
  readonly format: Format;
  /** The query parameters apart from the format. */
  readonly filters: URLSearchParams;
  /** The output file. `-` is standard output. */
  readonly output: string;
  readonly restart: boolean;
}

/** The destination of the rows, and the progress reached there. */
interface Sink {
  readonly resumePoint: ResumePoint | null;
  add(bytes: Buffer, place: Omit<ResumePoint, 'bytes'>): Promise<void>;
  complete(): Promise<void>;
  /** Closes the destination before the export is complete. */
  close(): Promise<void>;
}

/** The final line of NDJSON. */
interface LastLine {
  readonly [COMPLETE]?: Completion;
  readonly error?: { readonly code: string; readonly message: string };
}

interface Completion {
  readonly count: number;
  readonly sha256: string;
}

/** Exports users or the audit log. */
export const exportCommand = defineCommand({
  name: 'export',
  summary: 'Export users or the audit log. The same command again resumes an interrupted export',
  args: ['users|audit'],
  flags: ['output', 'format', 'fields', 'filter', 'restart'],
  flagHelp: {
    format: {
      value: FORMATS.join('|'),
      help: `format of the file; default that of its name, otherwise ${DEFAULT_FORMAT}`,
    },
  },
  run: async ({ client, args: [kind = ''], flags }) => {
    const { output, restart = false } = flags;
    if (kind !== 'users' && kind !== 'audit') throw usageError('export requires users or audit');
    if (output === undefined) throw usageError('export requires --output');
    if (output === '-' && restart) throw usageError('--restart requires a file');
    const format = formatOf(output, flags.format);
    const interrupted = new AbortController();
    // The first SIGINT keeps the rows received so far. A second one kills the process at once.
    process.once('SIGINT', () => interrupted.abort());
    const options = { kind, format, filters: parseFilters(flags), output, restart } as const;
    await runExport(client, options, interrupted.signal);
  },
});

const isFormat = (text: string): text is Format => (FORMATS as readonly string[]).includes(text);

/**
 * Returns the format to write, by default that of the file's name.
 * @throws CliError for an unknown format, and for a name of another one
 */
function formatOf(output: string, given: string | undefined): Format {
  if (given !== undefined && !isFormat(given)) throw usageError(`--format must be ${FORMATS.join(' or ')}`);
  const extension = extname(output).slice(1).toLowerCase();
  if (isFormat(extension) && given !== undefined && given !== extension)
    throw usageError(`--format ${given} contradicts the name ${output}`);
  if (OTHER_FORMATS.includes(extension))
    throw usageError(
      `an export is ${FORMATS.join(' or ')}, uncompressed, and not what the name ${output} says`,
    );
  return given ?? (isFormat(extension) ? extension : DEFAULT_FORMAT);
}

/**
 * Runs an export to completion over as many connections as needed. An export that cannot complete resumes
 * when the user repeats the same command.
 * @throws CliError, also when the received rows do not match the checksum
 */
async function runExport(client: ApiClient, options: ExportOptions, interrupted: AbortSignal): Promise<void> {
  const { kind, format, filters, output } = options;
  const asked = `${kind}?${new URLSearchParams([['format', format], ...filters]).toString()}`;
  const sink = output === '-' ? new StandardOutput() : await PartFile.open(output, asked, options.restart);
  if (sink.resumePoint) printStatus(`resuming after ${sink.resumePoint.rows} rows`);
  const progress = new ProgressReporter('rows', sink.resumePoint?.rows ?? 0);
  try {
    for (let fruitless = 0; ; fruitless++) {
      const before = sink.resumePoint?.rows ?? 0;
      try {
        await new ExportReceiver(sink, asked, progress).receive(client, interrupted);
        break;
      } catch (error) {
        if (interrupted.aborted) throw new CliError('interrupted', EXIT_CODES.interrupted, { cause: error });
        if ((sink.resumePoint?.rows ?? 0) > before) fruitless = 0;
        if (!isTransient(error) || fruitless + 1 >= MAX_FRUITLESS_ATTEMPTS) throw error;
        printStatus(`connection lost (${error instanceof Error ? error.message : String(error)}), resuming`);
        await sleep(FIRST_PAUSE_MS * 2 ** fruitless);
      }
    }
  } catch (error) {
    await sink.close();
    if (isTransient(error)) printStatus('run the same command again to resume');
    throw error;
  } finally {
    progress.end();
  }
  await sink.complete();
  printStatus(`${sink.resumePoint?.rows ?? 0} rows, complete`);
}

const isTransient = (error: unknown): boolean =>
  !(error instanceof CliError) || error.exitCode === EXIT_CODES.unreachable;

/** Receives the rows of one connection. */
class ExportReceiver {
  private readonly hash = createHash('sha256');
  private readonly splitter: RecordSplitter;
  private readonly rowsBefore: number;
  /** The number of header records: 1 in CSV before the first row, otherwise 0. */
  private readonly headers: number;
  /** True until the header record has come, if an earlier connection was lost right after it. */
  private skipsHeader: boolean;

  constructor(
    private readonly sink: Sink,
    private readonly asked: string,
    private readonly progress: ProgressReporter,
  ) {
    const isCsv = asked.includes('format=csv');
    this.rowsBefore = sink.resumePoint?.rows ?? 0;
    this.splitter = new RecordSplitter(isCsv);
    this.headers = isCsv && this.rowsBefore === 0 ? 1 : 0;
    this.skipsHeader = this.headers === 1 && sink.resumePoint !== null;
  }

  async receive(client: ApiClient, interrupted: AbortSignal): Promise<void> {
    const { resumePoint: place } = this.sink;
    const after = place
      ? `&${new URLSearchParams({ after: place.cursor, received: String(place.received) }).toString()}`
      : '';
    const answer = await client.stream({ path: `/api/export/${this.asked}${after}` });
    const stop = () => answer.destroy(new Error('interrupted'));
    interrupted.addEventListener('abort', stop);
    try {
      const ending = await this.readRows(answer);
      this.assertComplete(ending ?? trailersOf(answer));
    } finally {
      interrupted.removeEventListener('abort', stop);
    }
  }

  /**
   * Reads all rows.
   * @returns the completion from the final line, or null when the format has none, as in CSV
   */
  private async readRows(answer: IncomingMessage): Promise<Completion | null> {
    const cursor = String(answer.headers['x-export-cursor']);
    const total = Number(answer.headers['x-total-estimate'] ?? 0);
    let control: string | null = null;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      let rows = this.splitter.push(chunk);
      if (rows.length === 0) continue;
      const lastAt = rows.lastIndexOf(LINE_FEED, rows.length - 2) + 1;
      const last = rows.toString('utf8', lastAt, lastAt + 20);
      if (LAST_LINE.test(last)) {
        control = rows.toString('utf8', lastAt);
        rows = rows.subarray(0, lastAt);
      }
      this.hash.update(rows);
      if (this.skipsHeader) {
        rows = rows.subarray(rows.indexOf(LINE_FEED) + 1);
        this.skipsHeader = false;
      }
      const received = this.splitter.records - this.headers - (control === null ? 0 : 1);
      await this.sink.add(rows, {
        query: this.asked,
        cursor,
        received,
        rows: this.rowsBefore + received,
      });
      this.progress.update(this.rowsBefore + received, total);
    }
    return control === null ? null : parseLastLine(control);
  }

  private assertComplete(ending: Completion | null): void {
    if (!ending) throw new CliError('the connection was lost', EXIT_CODES.unreachable);
    const rows = this.sink.resumePoint?.rows ?? 0;
    if (ending.count !== rows) {
      throw new CliError(
        `received ${rows} of ${ending.count} rows; start over with --restart`,
        EXIT_CODES.failed,
      );
    }
    if (ending.sha256 !== this.hash.digest('hex')) {
      throw new CliError(
        'the received rows do not match the checksum; start over with --restart',
        EXIT_CODES.failed,
      );
    }
  }
}

/** Parses the final line. @throws CliError when it is an error */
function parseLastLine(line: string): Completion {
  const content = JSON.parse(line) as LastLine;
  if (content[COMPLETE]) return content[COMPLETE];
  if (!content.error) throw new CliError(`the export ended with an unknown line: ${line}`, EXIT_CODES.failed);
  const { code, message } = content.error;
  throw new CliError(
    `${code}: ${message}`,
    TRANSIENT_CODES.has(code) ? EXIT_CODES.unreachable : EXIT_CODES.refused,
  );
}

function trailersOf({ complete, trailers }: IncomingMessage): Completion | null {
  const { 'x-export-count': count, 'x-export-sha256': sha256 } = trailers;
  return complete && count !== undefined && sha256 !== undefined ? { count: Number(count), sha256 } : null;
}

/** Writes rows to standard output as they arrive. An interrupted export resumes only within the same run. */
class StandardOutput implements Sink {
  resumePoint: ResumePoint | null = null;

  async add(bytes: Buffer, place: Omit<ResumePoint, 'bytes'>): Promise<void> {
    // Waits on when the output is lost, which ends the command elsewhere and is no reason to resume.
    if (!process.stdout.write(bytes)) await new Promise((resolve) => process.stdout.once('drain', resolve));
    this.resumePoint = { ...place, bytes: 0 };
  }

  async complete(): Promise<void> {}

  async close(): Promise<void> {}
}
