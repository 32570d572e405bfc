import { createReadStream } from 'node:fs';
import type { ApiClient } from '../api.client.js';
import { usageError } from '../cli.error.js';
import { followJob } from '../follow-job.js';
import { printResult } from '../console-output.js';

const MEDIA_TYPES: Readonly<Record<string, string>> = { ndjson: 'application/x-ndjson', csv: 'text/csv' };

export interface ImportOptions {
  /** The input file. `-` is standard input. */
  readonly file: string;
  /** The format. Defaults to the file's extension. */
  readonly format?: string | undefined;
  /** Waits for the end of the job if true. */
  readonly wait: boolean;
}

/** Uploads users to import. @throws CliError when some could not be imported */
export async function runImport(client: ApiClient, { file, format, wait }: ImportOptions): Promise<void> {
  const type = MEDIA_TYPES[format ?? file.split('.').at(-1) ?? ''];
  if (type === undefined) throw usageError('--format must be ndjson or csv');
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const headers = { 'Content-Type': type };
  const job = await client.json<{ id: string }>({
    method: 'POST',
    path: '/api/users/import',
    headers,
    stream,
  });
  if (wait) await followJob(client, job.id);
  else printResult(`job ${job.id}`);
}
