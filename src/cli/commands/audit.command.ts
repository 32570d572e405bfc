import { usageError } from '../cli.error.js';
import { type Command, defineCommand } from '../command-line/command.types.js';
import { parseFilters } from '../command-line/flag-values.js';
import { findUserId } from '../find-user.js';
import { LIST_FLAGS, printList } from '../output/print-list.js';
import { type Column, printRecord } from '../output/print-records.js';

interface Party {
  readonly type: string;
  readonly id: string | null;
  /** The address, for callers who may read users. */
  readonly email?: string | null;
}

interface Entry {
  readonly id: string;
  readonly occurred_at: string;
  readonly actor: Party;
  readonly action: string;
  readonly target: Party | null;
  readonly outcome: string;
  readonly reason: string | null;
  readonly ip: string | null;
}

/** The parameters of the flags that take a user. Other flags are named as their parameters. */
const PARAMETERS: Readonly<Record<string, string>> = { actor: 'actor_id', target: 'target_id' };

const nameOf = (party: Party | null): string | null => party && (party.email ?? party.id ?? party.type);

const columns: readonly Column<Entry>[] = [
  { title: 'TIME', value: (entry) => entry.occurred_at },
  { title: 'ACTION', value: ({ action }) => action },
  { title: 'OUTCOME', value: ({ outcome }) => outcome },
  { title: 'ACTOR', value: ({ actor }) => nameOf(actor) },
  { title: 'TARGET', value: ({ target }) => nameOf(target) },
  { title: 'IP', value: ({ ip }) => ip },
  { title: 'ID', value: ({ id }) => id },
  { title: 'REASON', value: ({ reason }) => reason },
];

export const auditCommands: readonly Command[] = [
  defineCommand({
    name: 'audit list',
    summary: 'List audit entries, newest first, such as --action auth.login',
    args: [],
    flags: [...LIST_FLAGS, 'filter', 'actor', 'target', 'action', 'ip'],
    run: async (input) => {
      const { actor, target, action, ip } = input.flags;
      const filters = parseFilters(input.flags);
      const given = Object.entries({ actor, target, action, ip });
      for (const [flag, value] of given) {
        const name = PARAMETERS[flag] ?? flag;
        if (value !== undefined && filters.has(name))
          throw usageError(`--${flag} and --filter ${name} set the same filter`);
      }
      for (const [flag, value] of given) {
        if (value === undefined) continue;
        const name = PARAMETERS[flag];
        filters.set(name ?? flag, name === undefined ? value : await findUserId(input.client, value));
      }
      const list = { path: '/api/audit', noun: 'entries', total: 'estimate', columns, filters } as const;
      await printList<Entry>(input, list);
    },
  }),
  defineCommand({
    name: 'audit show',
    summary: 'Show an audit entry with its changes',
    args: ['ENTRY'],
    flags: ['json'],
    run: async ({ client, args: [id = ''], flags }) =>
      printRecord(await client.json<Entry>({ path: `/api/audit/${encodeURIComponent(id)}` }), flags.json),
  }),
];
