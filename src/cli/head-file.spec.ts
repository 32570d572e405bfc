import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readHead } from './head-file.js';

const RECORDED = new URL('../../test/e2e/audit/recorded/head-of-0.1.0.json', import.meta.url);

let folder: string;
let head: Readonly<Record<string, unknown>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-head-'));
  head = JSON.parse(await readFile(RECORDED, 'utf8')) as typeof head;
});
afterAll(() => rm(folder, { recursive: true }));

async function readBack(content: unknown) {
  const file = join(folder, 'head.json');
  await writeFile(file, JSON.stringify(content));
  return readHead(file);
}

describe('readHead', () => {
  it('returns a head as it was saved, and a number and a hash alone', async () => {
    const { number, hash } = head;
    expect(await readBack(head)).toEqual({ number, hash });
    expect(await readBack({ number, hash })).toEqual({ number, hash });
  });

  it.each(['number', 'position', 'entries', 'root', 'previous', 'hash', 'sealed_at', 'kid'])(
    'refuses a head whose %s was changed',
    async (field) => {
      const other = String(head[field]).replace(/^./, (first) => (first === '1' ? '2' : '1'));
      const changed = typeof head[field] === 'number' ? Number(other) : other;
      await expect(readBack({ ...head, [field]: changed })).rejects.toThrow('the head file is damaged');
    },
  );

  it.each(['position', 'entries', 'root', 'previous', 'sealed_at', 'kid'])(
    'refuses a head that lacks its %s',
    async (field) => {
      await expect(readBack({ ...head, [field]: undefined })).rejects.toThrow('the head file is damaged');
    },
  );

  it.each([[null], [[]], [{ number: 1 }], [{ hash: 'x' }]])(
    'refuses %j, which is no head',
    async (content) => {
      await expect(readBack(content)).rejects.toThrow('is not a head saved with --save-head');
    },
  );
});
