import { type Command, defineCommand } from '../command-line/command.types.js';
import { parseFilters } from '../command-line/flag-values.js';
import { followJob } from '../follow-job.js';
import { LIST_FLAGS, printList } from '../output/print-list.js';
import { type Column, RecordPrinter } from '../output/print-records.js';

interface Job {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly total: number | null;
  readonly done: number;
  readonly failed: number;
  readonly created_at: string;
}

interface Row {
  readonly index: number;
  readonly id?: string;
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string };
}

const columns: readonly Column<Job>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'CREATED', value: (job) => job.created_at },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'TOTAL', value: ({ total }) => total },
  { title: 'DONE', value: ({ done }) => done },
  { title: 'FAILED', value: ({ failed }) => failed },
];

const rowColumns: readonly Column<Row>[] = [
  { title: 'ROW', value: ({ index }) => index },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'ID', value: ({ id }) => id ?? null },
  { title: 'ERROR', value: ({ error }) => (error ? `${error.code}: ${error.message}` : null) },
];

const pathOf = (id: string): string => `/api/jobs/${encodeURIComponent(id)}`;
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
    run: async ({ client, args: [id = ''], flags }) =>
      show(await client.json<Job>({ path: pathOf(id) }), flags.json),
  }),
  defineCommand({
    name: 'jobs results',
    summary: 'List the results of a job, such as --filter status=failed',
    args: ['JOB'],
    flags: [...LIST_FLAGS, 'filter'],
    run: (input) => {
      const path = `${pathOf(input.args[0] ?? '')}/results`;
      const filters = parseFilters(input.flags);
      return printList<Row>(input, { path, noun: 'rows', total: 'exact', columns: rowColumns, filters });
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
    run: async ({ client, args: [id = ''], flags }) =>
      show(await client.json<Job>({ method: 'DELETE', path: pathOf(id) }), flags.json),
  }),
];
