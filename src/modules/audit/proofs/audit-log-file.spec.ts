import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { entryAt, makeAuditKey, sealOver } from '../../../../test/support/builders/audit-log.js';
import { auditLogLines, readAuditLogFile } from './audit-log-file.js';
import { parseHeadFile } from './head-file.js';
import { keySetOf } from './key-set.js';
import type { StoredEntry } from './leaf.js';
import { type SealedBlock, verifyAuditLog } from './verify-audit-log.js';

const RECORDED = new URL('../../../../test/e2e/audit/recorded/', import.meta.url);
const recorded = (name: string): string => readFileSync(new URL(name, RECORDED), 'utf8');

const key = makeAuditKey();
const { kid, x } = key;
const JWK = { kty: 'OKP', crv: 'Ed25519', x, kid } as const;
const LATER = { reason: 'wrong_password', ip_digest: Buffer.from('0123456789abcdef', 'hex') };

async function* stream(blocks: readonly SealedBlock[]): AsyncGenerator<SealedBlock> {
  yield* blocks;
}

async function collected(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

/** Returns the lines of a file with these entries under one seal. */
async function linesOf(...entries: StoredEntry[]): Promise<string[]> {
  const blocks = stream([{ entries, seal: sealOver(entries, undefined, key) }]);
  return collected(auditLogLines({ keys: [JWK], retentions: [], blocks }));
}

async function verify(lines: readonly string[]) {
  const { keys, retentions, blocks } = await readAuditLogFile(Readable.from(lines));
  return verifyAuditLog(blocks, { keys: keySetOf(keys), retentions });
}

describe('an exported audit log', () => {
  it('of the first release verifies against the head that was kept then', async () => {
    const head = parseHeadFile(recorded('head-of-0.1.0.json'));
    const { retentions, blocks } = await readAuditLogFile(
      Readable.from([recorded('audit-log-of-0.1.0.ndjson')]),
    );
    const verdict = await verifyAuditLog(blocks, {
      keys: keySetOf(head.key ? [head.key] : []),
      retentions,
      head,
    });
    expect(verdict).toEqual({
      valid: true,
      entries: 10,
      dropped: 0,
      seals: 6,
      unsealed: 0,
      sealsAfterHead: 1,
    });
  });

  it('of the first release has the lines that this release writes for its entries', async () => {
    const [, ...lines] = recorded('audit-log-of-0.1.0.ndjson').trimEnd().split('\n');
    const { keys, retentions, blocks } = await readAuditLogFile(
      Readable.from([recorded('audit-log-of-0.1.0.ndjson')]),
    );
    const [, ...written] = await collected(auditLogLines({ keys, retentions, blocks }));
    expect(written.map((line) => line.trimEnd())).toEqual(lines);
  });

  it('verifies with entries of both versions', async () => {
    const lines = await linesOf(entryAt(1), entryAt(2, LATER), entryAt(3, { reason: 'throttled' }));
    expect(lines.map((line) => /"(?:reason|ip_digest)"/.test(line))).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(await verify(lines)).toMatchObject({ valid: true, entries: 3 });
  });

  it.each<[string, StoredEntry, object]>([
    ['another reason', entryAt(1, LATER), { reason: 'disabled' }],
    ['no reason', entryAt(1, LATER), { reason: undefined }],
    ['another digest', entryAt(1, LATER), { ip_digest: 'AAAA' }],
    ['neither', entryAt(1, LATER), { reason: undefined, ip_digest: undefined }],
    ['a reason that was added', entryAt(1), { reason: 'disabled' }],
    ['a digest that was added', entryAt(1), { ip_digest: 'AAAA' }],
  ])('is invalid with an entry that has %s', async (_, entry, change) => {
    const lines = await linesOf(entry);
    const changed = JSON.parse(lines[1] ?? '') as { entry: object };
    lines[1] = `${JSON.stringify({ entry: { ...changed.entry, ...change } })}\n`;
    expect(await verify(lines)).toMatchObject({ valid: false, firstFault: { kind: 'entry_changed' } });
  });

  it('is refused with a later version, and with a value that is spelled as absent', async () => {
    const [header = '', entry = '', ...rest] = await linesOf(entryAt(1));
    await expect(verify([header.replace('"version":2', '"version":3'), entry])).rejects.toThrow(
      'line 1 is not the header of an exported audit log',
    );
    const spelled = entry.replace('"changes_sealed":null', '"changes_sealed":null,"reason":null');
    await expect(verify([header, spelled, ...rest])).rejects.toThrow('line 2 is neither an entry nor a seal');
  });
});
