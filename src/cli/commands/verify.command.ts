import { writeFile } from 'node:fs/promises';
import type { ApiClient, Page } from '../api.client.js';
import { CliError, EXIT_CODES } from '../cli.error.js';
import { defineCommand } from '../command-line/command.types.js';
import { readHead, type Seal } from '../head-file.js';
import { printResult } from '../output/console-output.js';

/**
 * The maximum number of pages of 100 seals to search for the saved one. One seal per second fills them in
 * about four months.
 */
const MAX_PAGES = 100_000;

interface Verdict {
  readonly valid: boolean;
  readonly entries: number;
  readonly seals: number;
  readonly first_fault?: { readonly kind: string; readonly message: string } | null;
}

/** Has the service verify its audit log, and compares the log with a saved head. */
export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'Verify the audit log, also against a saved head',
  args: [],
  flags: ['head', 'save-head'],
  run: async ({ client, flags: { head, 'save-head': saveHead } }) => {
    const kept = head === undefined ? null : await readHead(head);
    const verdict = await client.json<Verdict>({ method: 'POST', path: '/api/audit/verify', body: {} });
    const { valid, entries, seals, first_fault: fault } = verdict;
    if (!valid) throw new CliError(`INVALID: ${fault?.kind}: ${fault?.message}`, EXIT_CODES.failed);
    printResult(`VALID: ${seals} seals over ${entries} entries`);
    if (kept) {
      await assertHeadUnchanged(client, kept);
      printResult(`seal ${kept.number} matches the saved head`);
    }
    if (saveHead !== undefined) {
      const latest = await client.json<Seal>({ path: '/api/audit/seals/latest' });
      await writeFile(saveHead, `${JSON.stringify(latest)}\n`);
      printResult(`seal ${latest.number} saved to ${saveHead}`);
    }
  },
});

async function assertHeadUnchanged(client: ApiClient, kept: Seal): Promise<void> {
  for (let page = 0, path: string | null = '/api/audit/seals?limit=100'; path && page < MAX_PAGES; page++) {
    const { items, next }: Page<Seal> = await client.page<Seal>(path);
    const found = items.find(({ number }) => number === kept.number);
    if (found?.hash === kept.hash) return;
    if (found)
      throw new CliError(`INVALID: seal ${kept.number} differs from the saved head`, EXIT_CODES.failed);
    path = next;
  }
  throw new CliError(`INVALID: the saved seal ${kept.number} no longer exists`, EXIT_CODES.failed);
}
