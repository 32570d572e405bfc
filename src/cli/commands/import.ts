import { createReadStream } from 'node:fs';
import type { ApiClient } from '../api-client.js';
import { usage } from '../exit.js';
import { followJob } from '../follow-job.js';
import { print } from '../output.js';

const MEDIA_TYPES: Readonly<Record<string, string>> = { ndjson: 'application/x-ndjson', csv: 'text/csv' };

export interface ImportOptions {
  /** `-` is the standard input. */
  readonly file: string;
  /** By default the file's extension says it. */
  readonly format?: string | undefined;
  /** Whether the end of the job is waited for. */
  readonly wait: boolean;
}

/** Sends accounts to be made. @throws CliError when not all of them could be */
export async function runImport(client: ApiClient, { file, format, wait }: ImportOptions): Promise<void> {
  const type = MEDIA_TYPES[format ?? file.split('.').at(-1) ?? ''];
  if (type === undefined) throw usage('--format says whether it is ndjson or csv');
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const headers = { 'Content-Type': type };
  const job = await client.json<{ id: string }>({
    method: 'POST',
    path: '/api/users/import',
    headers,
    stream,
  });
  if (wait) await followJob(client, job.id);
  else print(`job ${job.id}`);
}
