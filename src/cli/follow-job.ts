import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api.client.js';
import { CliError, EXIT_CODES } from './cli.error.js';
import { printResult, ProgressReporter, printStatus } from './output/console-output.js';

const POLL_INTERVAL_MS = 500;
/** The maximum number of failed rows to print. The rest are only counted. */
const MAX_SHOWN_FAILURES = 20;

/** The type of the jobs whose rejected rows can be downloaded. */
const IMPORT = 'users.import';

export interface Job {
  readonly id: string;
  readonly type: string;
  /** True if the job changes nothing. */
  readonly dry_run: boolean;
  readonly status: string;
  readonly total: number | null;
  readonly done: number;
  readonly failed: number;
  readonly created_at: string;
}

/** The result of one row of a job. */
export interface JobResult {
  readonly index: number;
  readonly status: string;
  readonly id?: string | null;
  /** The line of the file and the address, in the results of an import. */
  readonly line?: number;
  readonly email?: string;
  readonly error?: { readonly code: string; readonly message: string } | null;
}

/** Says of the job of a command with `--dry-run` that it changes nothing. */
export function announceJob(isDryRun = false): void {
  if (isDryRun) printStatus('dry run: the job changes nothing');
}

export const isOpen = ({ status }: Job): boolean => status === 'queued' || status === 'running';

/** Waits for a job and prints the rows that failed. @throws CliError unless every row succeeded */
export async function followJob(client: ApiClient, id: string): Promise<void> {
  const job = await waitForJob(client, id);
  printResult(`job ${id}: ${job.status}, ${countsOf(job)}${job.dry_run ? ' (dry run)' : ''}`);
  if (job.failed > 0) await printFailures(client, job);
  if (job.status !== 'succeeded') throw new CliError(`the job ended as ${job.status}`, EXIT_CODES.failed);
  if (job.failed > 0)
    throw new CliError(`${job.failed} ${job.failed === 1 ? 'row' : 'rows'} failed`, EXIT_CODES.failed);
}

/** Waits for a job of one row. @throws CliError with the error of the row unless it succeeded */
export async function awaitOnlyRow(client: ApiClient, id: string): Promise<void> {
  const { status, done } = await waitForJob(client, id);
  const [row] = await client.json<JobResult[]>({ path: `${jobPath(id)}/results?limit=1` });
  if (row?.error) throw new CliError(`${row.error.code}: ${row.error.message}`, EXIT_CODES.failed);
  if (done !== 1) throw new CliError(`the job ended as ${status}`, EXIT_CODES.failed);
}

async function waitForJob(client: ApiClient, id: string): Promise<Job> {
  let job = await readJob(client, id);
  const progress = new ProgressReporter('rows', job.total ?? 0);
  while (isOpen(job)) {
    await sleep(POLL_INTERVAL_MS);
    job = await readJob(client, id);
    progress.update(job.done + job.failed, job.total ?? 0);
  }
  progress.end();
  return job;
}

async function printFailures(client: ApiClient, { id, type, failed }: Job): Promise<void> {
  const path = `${jobPath(id)}/results?status=failed&limit=${MAX_SHOWN_FAILURES}`;
  for (const row of await client.json<JobResult[]>({ path })) {
    printStatus(`${nameOf(row)}: ${row.error?.code}: ${messageOf(row)}`);
  }
  if (failed > MAX_SHOWN_FAILURES)
    printStatus(
      `… and ${failed - MAX_SHOWN_FAILURES} more: gatehouse jobs results ${id} --filter status=failed`,
    );
  if (type === IMPORT)
    printStatus(`to correct the rejected rows: gatehouse jobs rejected ${id} --output FILE`);
}

/** Names the row by its line in the file and its address if it has them, otherwise by its index and id. */
function nameOf({ index, line, email, id }: JobResult): string {
  const what = email ?? id;
  return `${line === undefined ? `row ${index}` : `line ${line}`}${what ? ` (${what})` : ''}`;
}

/** Returns the message without the line that {@link nameOf} names. */
function messageOf({ line, error }: JobResult): string {
  const prefix = `line ${line}: `;
  const message = error?.message ?? '';
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

/** Returns the counts of a job. A skipped row counts neither as done nor as failed. */
function countsOf({ total, done, failed }: Job): string {
  const skipped = (total ?? 0) - done - failed;
  return `${done} done, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

export const jobPath = (id: string): string => `/api/jobs/${encodeURIComponent(id)}`;

export const readJob = (client: ApiClient, id: string): Promise<Job> =>
  client.json<Job>({ path: jobPath(id) });
