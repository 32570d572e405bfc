import { readFile, writeFile } from 'node:fs/promises';
import type { ApiClient, Page } from '../api-client.js';
import { CliError, EXIT } from '../exit.js';
import { print } from '../output.js';

/** Pages of a hundred seals that are looked through for the kept one: some four months of one each second. */
const MAX_PAGES = 100_000;

interface Verdict {
  readonly valid: boolean;
  readonly entries: number;
  readonly seals: number;
  readonly first_fault?: { readonly kind: string; readonly message: string } | null;
}

interface Seal {
  readonly number: number;
  readonly hash: string;
}

export interface VerifyOptions {
  /** A head that was kept before, which has to stand in the trail still. */
  readonly head?: string | undefined;
  /** Where to keep the present head. */
  readonly saveHead?: string | undefined;
}

/** Lets the service verify its trail, and compares it with what was kept elsewhere. @throws CliError when it is not as it was */
export async function runVerify(client: ApiClient, { head, saveHead }: VerifyOptions): Promise<void> {
  const verdict = await client.json<Verdict>({ method: 'POST', path: '/api/audit/verify', body: {} });
  const { valid, entries, seals, first_fault: fault } = verdict;
  if (!valid) throw new CliError(`INVALID: ${fault?.kind}: ${fault?.message}`, EXIT.failed);
  print(`VALID: ${seals} seals over ${entries} entries`);
  if (head !== undefined) {
    const kept = JSON.parse(await readFile(head, 'utf8')) as Seal;
    await assertStands(client, kept);
    print(`seal ${kept.number} stands as it was kept`);
  }
  if (saveHead !== undefined) {
    const latest = await client.json<Seal>({ path: '/api/audit/seals/latest' });
    await writeFile(saveHead, `${JSON.stringify(latest)}\n`);
    print(`seal ${latest.number} is kept in ${saveHead}`);
  }
}

async function assertStands(client: ApiClient, kept: Seal): Promise<void> {
  for (let page = 0, path: string | null = '/api/audit/seals?limit=100'; path && page < MAX_PAGES; page++) {
    const { items, next }: Page<Seal> = await client.page<Seal>(path);
    const found = items.find(({ number }) => number === kept.number);
    if (found?.hash === kept.hash) return;
    if (found) throw new CliError(`INVALID: seal ${kept.number} is another one than was kept`, EXIT.failed);
    path = next;
  }
  throw new CliError(`INVALID: seal ${kept.number}, which was kept, is not there any more`, EXIT.failed);
}
