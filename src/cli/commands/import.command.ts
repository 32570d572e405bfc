import { open } from 'node:fs/promises';
import { compose, type Readable } from 'node:stream';
import { usageError } from '../cli.error.js';
import { defineCommand } from '../command-line/command.types.js';
import { followJob } from '../follow-job.js';
import { FirebaseRows, readFirebaseParameters } from '../firebase-rows.js';
import { printResult, printStatus } from '../output/console-output.js';

const MEDIA_TYPES: Readonly<Record<string, string>> = { ndjson: 'application/x-ndjson', csv: 'text/csv' };

/** Uploads users to import. The format defaults to the file's extension. */
export const importCommand = defineCommand({
  name: 'import',
  aliases: ['users import'],
  summary: 'Import users from FILE; "-" is standard input',
  args: ['FILE'],
  flags: ['format', 'firebase-params', 'wait'],
  run: async ({ client, args: [file = ''], flags }) => {
    const { format, wait = true, 'firebase-params': parameters } = flags;
    const firebase =
      parameters === undefined ? null : new FirebaseRows(await readFirebaseParameters(parameters));
    const type = MEDIA_TYPES[firebase ? 'ndjson' : (format ?? file.split('.').at(-1) ?? '')];
    if (type === undefined) throw usageError('--format must be ndjson or csv');
    // Opens the file first, so that a missing one is reported before anything is sent.
    const source: Readable = file === '-' ? process.stdin : (await open(file)).createReadStream();
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
  },
});
