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
  readonly ip: string | null;
}

const nameOf = (party: Party | null): string | null => party && (party.email ?? party.id ?? party.type);

const columns: readonly Column<Entry>[] = [
  { title: 'TIME', value: (entry) => entry.occurred_at },
  { title: 'ACTION', value: ({ action }) => action },
  { title: 'OUTCOME', value: ({ outcome }) => outcome },
  { title: 'ACTOR', value: ({ actor }) => nameOf(actor) },
  { title: 'TARGET', value: ({ target }) => nameOf(target) },
  { title: 'IP', value: ({ ip }) => ip },
  { title: 'ID', value: ({ id }) => id },
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
      if (actor !== undefined) filters.set('actor_id', await findUserId(input.client, actor));
      if (target !== undefined) filters.set('target_id', await findUserId(input.client, target));
      if (action !== undefined) filters.set('action', action);
      if (ip !== undefined) filters.set('ip', ip);
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
