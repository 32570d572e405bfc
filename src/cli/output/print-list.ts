import type { Page } from '../api.client.js';
import type { CommandInput } from '../command-line/command.types.js';
import { parseLimit } from '../command-line/flag-values.js';
import { printStatus } from './console-output.js';
import { type Column, RecordPrinter } from './print-records.js';

/** The maximum number of rows on a page of the API. */
const MAX_PAGE = 100;

/** The flags of every list. A list that the API can filter also takes `--filter`. */
export const LIST_FLAGS = ['limit', 'cursor', 'json'] as const;

type ListInput = CommandInput<(typeof LIST_FLAGS)[number]>;

export interface List<T> {
  readonly path: string;
  /** The name of the rows, in plural. */
  readonly noun: string;
  /** The way to count the rows: `estimate` where an exact count may take long. */
  readonly total: 'exact' | 'estimate';
  readonly columns: readonly Column<T>[];
  readonly filters?: URLSearchParams;
}

/** Prints up to `--limit` rows of a list, their total number, and the cursor of the next page. */
export async function printList<T extends object>(
  { client, flags }: Pick<ListInput, 'client' | 'flags'>,
  { path, noun, total, columns, filters }: List<T>,
): Promise<void> {
  const printer = new RecordPrinter(columns, flags.json ?? false);
  const limit = parseLimit(flags.limit);
  const query = new URLSearchParams(filters);
  if (flags.cursor !== undefined) query.set('cursor', flags.cursor);
  query.set('total', total);
  let printed = 0;
  let count = '';
  for (;;) {
    query.set('limit', String(Math.min(limit - printed, MAX_PAGE)));
    const page = await client.page<T>(`${path}?${query.toString()}`);
    printer.print(page.items);
    printed += page.items.length;
    count ||= countOf(page);
    const cursor = page.next && cursorOf(page.next);
    if (!cursor || printed >= limit) {
      const next = cursor ? `, next page with --cursor ${cursor}` : '';
      printStatus(`${grouped(printed)}${count} ${noun}${next}`);
      return;
    }
    query.set('cursor', cursor);
    // The first page has counted the rows.
    query.delete('total');
  }
}

function countOf({ total }: Pick<Page<unknown>, 'total'>): string {
  return total ? ` of ${total.isExact ? '' : 'about '}${grouped(total.count)}` : '';
}

const cursorOf = (path: string): string | null =>
  new URL(path, 'http://localhost').searchParams.get('cursor');

const grouped = (count: number): string => count.toLocaleString('en-US');
