import { open } from 'node:fs/promises';
import { usageError } from '../cli.error.js';
import { defineCommand } from '../command-line/command.types.js';
import { followJob } from '../follow-job.js';
import { printResult } from '../output/console-output.js';

const MEDIA_TYPES: Readonly<Record<string, string>> = { ndjson: 'application/x-ndjson', csv: 'text/csv' };

/** Uploads users to import. The format defaults to the file's extension. */
export const importCommand = defineCommand({
  name: 'import',
  aliases: ['users import'],
  summary: 'Import users from FILE; "-" is standard input',
  args: ['FILE'],
  flags: ['format', 'wait'],
  run: async ({ client, args: [file = ''], flags: { format, wait = true } }) => {
    const type = MEDIA_TYPES[format ?? file.split('.').at(-1) ?? ''];
    if (type === undefined) throw usageError('--format must be ndjson or csv');
    // Opens the file first, so that a missing one is reported before anything is sent.
    const stream = file === '-' ? process.stdin : (await open(file)).createReadStream();
    const headers = { 'Content-Type': type };
    const job = await client.json<{ id: string }>({
      method: 'POST',
      path: '/api/users/import',
      headers,
      stream,
    });
    if (wait) await followJob(client, job.id);
    else printResult(`job ${job.id}`);
  },
});
