import { createReadStream } from 'node:fs';
import { compose, type Readable } from 'node:stream';
import type { ApiClient } from '../api.client.js';
import { usageError } from '../cli.error.js';
import { followJob } from '../follow-job.js';
import { printResult, printStatus } from '../console-output.js';
import { FirebaseRows, readFirebaseParameters } from '../firebase-rows.js';

const MEDIA_TYPES: Readonly<Record<string, string>> = { ndjson: 'application/x-ndjson', csv: 'text/csv' };

export interface ImportOptions {
  /** The input file. `-` is standard input. */
  readonly file: string;
  /** The format. Defaults to the file's extension. */
  readonly format?: string | undefined;
  /** The file with the password hash parameters of a Firebase project, whose export is the input. */
  readonly firebaseParameters?: string | undefined;
  /** Waits for the end of the job if true. */
  readonly wait: boolean;
}

/** Uploads users to import. @throws CliError when some could not be imported */
export async function runImport(client: ApiClient, options: ImportOptions): Promise<void> {
  const { file, format, wait, firebaseParameters } = options;
  const firebase =
    firebaseParameters === undefined
      ? null
      : new FirebaseRows(await readFirebaseParameters(firebaseParameters));
  const type = MEDIA_TYPES[firebase ? 'ndjson' : (format ?? file.split('.').at(-1) ?? '')];
  if (type === undefined) throw usageError('--format must be ndjson or csv');
  const source: Readable = file === '-' ? process.stdin : createReadStream(file);
  const headers = { 'Content-Type': type };
  const job = await client.json<{ id: string }>({
    method: 'POST',
    path: '/api/users/import',
    headers,
    stream: firebase ? compose(source, firebase) : source,
  });
  if (firebase && firebase.skipped > 0)
    printStatus(`${firebase.skipped} users without an address were left out`);
  if (wait) await followJob(client, job.id);
  else printResult(`job ${job.id}`);
}
