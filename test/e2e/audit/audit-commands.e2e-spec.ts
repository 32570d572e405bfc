import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { runAuditExport, verifyAuditLogFile } from '../../support/builders/audit-log-commands.js';
import type { SealBody } from '../../support/builders/seal-client.js';

const RECORDED = join(import.meta.dirname, 'recorded');
const LOG = join(RECORDED, 'audit-log-of-0.1.0.ndjson');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-audit-commands-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('npm run audit:verify', () => {
  it.each(['number', 'position', 'entries', 'root', 'previous', 'hash', 'sealed_at', 'kid'] as const)(
    'refuses a head whose %s was changed as damaged',
    async (field) => {
      const head = JSON.parse(await readFile(join(RECORDED, 'head-of-0.1.0.json'), 'utf8')) as SealBody;
      const other = String(head[field]).replace(/^./, (first) => (first === '1' ? '2' : '1'));
      const changed = typeof head[field] === 'number' ? Number(other) : other;
      const file = join(folder, `${field}.json`);
      await writeFile(file, JSON.stringify({ ...head, [field]: changed }));
      expect(await verifyAuditLogFile(LOG, '--head', file)).toEqual({
        code: 2,
        out: `${file}: the head file is damaged: its fields do not produce its hash\n`,
      });
    },
  );

  it('refuses a head that lacks a field as damaged, and accepts a number and a hash alone', async () => {
    const { root, ...head } = JSON.parse(
      await readFile(join(RECORDED, 'head-of-0.1.0.json'), 'utf8'),
    ) as SealBody;
    const file = join(folder, 'part.json');
    await writeFile(file, JSON.stringify(head));
    expect(await verifyAuditLogFile(LOG, '--head', file)).toMatchObject({ code: 2 });
    await writeFile(file, JSON.stringify({ ...head, root }));
    expect(await verifyAuditLogFile(LOG, '--head', file)).toMatchObject({ code: 0 });
    const { number, hash } = head;
    await writeFile(file, JSON.stringify({ number, hash }));
    expect(await verifyAuditLogFile(LOG, '--head', file)).toMatchObject({ code: 0 });
  });

  it('names a file that does not exist', async () => {
    const file = join(folder, 'missing.ndjson');
    expect(await verifyAuditLogFile(file)).toEqual({ code: 2, out: `${file}: no such file or directory\n` });
  });
});

describe('npm run audit:export', () => {
  it.each([[[]], [['one', 'two']], [['--help']]])(
    'prints its usage without exactly one file, before it asks the database: %j',
    async (args) => {
      const env = { DATABASE_URL: 'postgres://127.0.0.1:1/none', MASTER_KEY, NODE_ENV: 'test' };
      const said = 'usage: npm run audit:export -- <file>\n';
      expect(await runAuditExport(args, env)).toEqual({ code: 2, out: said });
    },
  );
});
