import { type Command, defineCommand } from '../command-line/command.types.js';
import { parseFilters } from '../command-line/flag-values.js';
import { followJob, isOpen, type Job, jobPath, type JobResult, readJob } from '../follow-job.js';
import { printStatus } from '../output/console-output.js';
import { LIST_FLAGS, printList } from '../output/print-list.js';
import { type Column, RecordPrinter } from '../output/print-records.js';
import { saveAnswer } from '../save-answer.js';

const columns: readonly Column<Job>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'CREATED', value: (job) => job.created_at },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'TOTAL', value: ({ total }) => total },
  { title: 'DONE', value: ({ done }) => done },
  { title: 'FAILED', value: ({ failed }) => failed },
  { title: 'DRY RUN', value: (job) => (job.dry_run ? 'yes' : 'no') },
];

const rowColumns: readonly Column<JobResult>[] = [
  { title: 'ROW', value: ({ index }) => index },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'ID', value: ({ id }) => id ?? null },
  { title: 'ERROR', value: ({ error }) => (error ? `${error.code}: ${error.message}` : null) },
];

const show = (job: Job, json = false): void => new RecordPrinter(columns, json).print([job]);

export const jobCommands: readonly Command[] = [
  defineCommand({
    name: 'jobs list',
    summary: 'List your jobs, or those of all users with jobs:manage',
    args: [],
    flags: LIST_FLAGS,
    run: (input) => printList<Job>(input, { path: '/api/jobs', noun: 'jobs', total: 'exact', columns }),
  }),
  defineCommand({
    name: 'jobs show',
    summary: 'Show the progress of a job',
    args: ['JOB'],
    flags: ['json'],
    run: async ({ client, args: [id = ''], flags }) => show(await readJob(client, id), flags.json),
  }),
  defineCommand({
    name: 'jobs results',
    summary: 'List the results of a job, such as --filter status=failed',
    args: ['JOB'],
    flags: [...LIST_FLAGS, 'filter'],
    run: (input) => {
      const path = `${jobPath(input.args[0] ?? '')}/results`;
      const filters = parseFilters(input.flags);
      return printList<JobResult>(input, {
        path,
        noun: 'rows',
        total: 'exact',
        columns: rowColumns,
        filters,
      });
    },
  }),
  defineCommand({
    name: 'jobs rejected',
    summary:
      'Download the rejected rows of an import, to correct them and import them again; kept for 24 hours',
    args: ['JOB'],
    flags: ['output'],
    run: async ({ client, args: [id = ''], flags: { output = '-' } }) => {
      await saveAnswer(await client.stream({ path: `${jobPath(id)}/rejected` }), output);
      if (output !== '-') printStatus(`saved the rejected rows to ${output}`);
    },
  }),
  defineCommand({
    name: 'jobs wait',
    summary: 'Wait for the end of a job',
    args: ['JOB'],
    flags: [],
    run: ({ client, args: [id = ''] }) => followJob(client, id),
  }),
  defineCommand({
    name: 'jobs cancel',
    summary: 'Cancel a job; rows that have not begun are skipped',
    args: ['JOB'],
    flags: ['json'],
    confirmation: ({ args: [id] }) => `cancel the job ${id}?`,
    check: ({ client, args: [id = ''] }) => readJob(client, id),
    run: async ({ client, args: [id = ''], flags }) => {
      const before = await readJob(client, id);
      const job = await client.json<Job>({ method: 'DELETE', path: jobPath(id) });
      show(job, flags.json);
      if (!isOpen(before) || job.status !== 'cancelled') printStatus('the job had already ended');
    },
  }),
];
