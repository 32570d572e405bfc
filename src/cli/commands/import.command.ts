import { extname } from 'node:path';
import { usageError } from '../cli.error.js';
import { defineCommand } from '../command-line/command.types.js';
import { announceJob, followJob } from '../follow-job.js';
import { FirebaseRows, readFirebaseParameters } from '../firebase-rows.js';
import { openImportFile } from '../import-file.js';
import { printResult, printStatus } from '../output/console-output.js';

const NDJSON = 'application/x-ndjson';
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ndjson: NDJSON,
  json: 'application/json',
  csv: 'text/csv',
};
const CONFLICT_POLICIES: readonly string[] = ['fail', 'skip', 'update'];

/** Uploads users to import. The format defaults to the file's extension; a further `.gz` means a compressed file. */
export const importCommand = defineCommand({
  name: 'import',
  aliases: ['users import'],
  summary:
    'Import users from FILE.ndjson, FILE.json or FILE.csv, also compressed as .gz; "-" is standard input',
  args: ['FILE'],
  flags: ['format', 'dry-run', 'on-conflict', 'firebase-params', 'wait'],
  flagHelp: {
    format: {
      value: Object.keys(MEDIA_TYPES).join('|'),
      help: 'format of the file; default that of its name; required for standard input',
    },
  },
  run: async ({ client, args: [file = ''], flags }) => {
    const { format, wait = true, 'firebase-params': parameters, 'dry-run': isDryRun = false } = flags;
    const query = queryOf(isDryRun, flags['on-conflict']);
    const firebase =
      parameters === undefined ? null : new FirebaseRows(await readFirebaseParameters(parameters));
    const isCompressed = file.endsWith('.gz');
    const type = firebase ? NDJSON : mediaTypeOf(file, format);
    // Opens the file first, so that a missing one is reported before anything is sent.
    const { content, close } = await openImportFile(file, { firebase, isCompressed });
    const job = await client
      .json<{ id: string }>({
        method: 'POST',
        path: `/api/users/import${query}`,
        headers: { 'Content-Type': type, ...(isCompressed && !firebase && { 'Content-Encoding': 'gzip' }) },
        stream: content,
      })
      .finally(close);
    if (firebase && firebase.skipped > 0)
      printStatus(`${firebase.skipped} users without an address were left out`);
    announceJob(isDryRun);
    if (wait) await followJob(client, job.id);
    else printResult(`job ${job.id}`);
  },
});

/** @throws CliError for an unknown format, and for a name that tells none */
function mediaTypeOf(file: string, format: string | undefined): string {
  const type = MEDIA_TYPES[format ?? extname(file.replace(/\.gz$/, '')).slice(1)];
  if (type !== undefined) return type;
  if (format !== undefined) throw usageError(`--format must be ${Object.keys(MEDIA_TYPES).join(', ')}`);
  throw usageError(`${file === '-' ? 'standard input' : `the name ${file}`} tells no format; pass --format`);
}

/** Returns the query of the upload. @throws CliError for an unknown policy, before anything is sent */
function queryOf(isDryRun: boolean, onConflict: string | undefined): string {
  if (onConflict !== undefined && !CONFLICT_POLICIES.includes(onConflict))
    throw usageError('--on-conflict must be fail, skip or update');
  const query = new URLSearchParams({
    ...(isDryRun && { dry_run: 'true' }),
    ...(onConflict !== undefined && { on_conflict: onConflict }),
  }).toString();
  return query === '' ? '' : `?${query}`;
}
