import { describe, expect, it } from '@jest/globals';
import {
  entryAt,
  makeAuditKey,
  makeAuditLog,
  sealOver,
} from '../../../../test/support/builders/audit-log.js';
import { keySetOf } from './key-set.js';
import { leafHash, type StoredEntry } from './leaf.js';
import { MAX_ENTRIES_PER_SEAL, type StoredSeal } from './seal.js';
import { type SealedBlock, type TrustAnchors, verifyAuditLog } from './verify-audit-log.js';

const key = makeAuditKey();
const keys = keySetOf([key]);

async function* stream(blocks: readonly SealedBlock[]): AsyncGenerator<SealedBlock> {
  yield* blocks;
}
const verify = (blocks: readonly SealedBlock[], trust: Partial<TrustAnchors> = {}) =>
  verifyAuditLog(stream(blocks), { keys, ...trust });

/** Three seals of four entries each. The caller can change the entries of the second. */
function trail(change: (entries: StoredEntry[]) => void = () => {}): SealedBlock[] {
  const blocks = makeAuditLog(3, 4, key);
  const entries = [...entriesOf(blocks, 1)];
  change(entries);
  return blocks.with(1, { entries, seal: sealOf(blocks, 1) });
}
const sealOf = (blocks: readonly SealedBlock[], index: number): StoredSeal => {
  const seal = blocks[index]?.seal;
  if (!seal) throw new Error(`block ${index} has no seal`);
  return seal;
};
const entriesOf = (blocks: readonly SealedBlock[], index: number): readonly StoredEntry[] =>
  blocks[index]?.entries ?? [];
const at = (entries: readonly StoredEntry[], index: number): StoredEntry => {
  const entry = entries[index];
  if (!entry) throw new Error(`entry ${index} does not exist`);
  return entry;
};

describe('verifyAuditLog', () => {
  it('accepts an unchanged audit log', async () => {
    expect(await verify(trail())).toEqual({
      valid: true,
      entries: 12,
      dropped: 0,
      seals: 3,
      unsealed: 0,
      sealsAfterHead: 3,
    });
  });

  it('accepts an empty audit log', async () => {
    expect(await verify([])).toMatchObject({ valid: true, entries: 0, seals: 0 });
  });

  it('counts the entries that no seal covers and the seals after the kept head', async () => {
    const blocks = trail();
    const tail = [entryAt(900), entryAt(901)];
    const verdict = await verify([...blocks, { entries: tail, seal: null }], { head: sealOf(blocks, 0) });
    expect(verdict).toEqual({
      valid: true,
      entries: 12,
      dropped: 0,
      seals: 3,
      unsealed: 2,
      sealsAfterHead: 2,
    });
  });

  it('can start at a seal', async () => {
    const blocks = trail();
    const verdict = await verify(blocks.slice(1), { since: sealOf(blocks, 0) });
    expect(verdict).toMatchObject({ valid: true, entries: 8, seals: 2 });
  });
});

describe('verifyAuditLog on entries', () => {
  const fault = async (change: (entries: StoredEntry[]) => void) => {
    const verdict = await verify(trail(change));
    expect(verdict).toMatchObject({ valid: false, seals: 1, entries: 4 });
    return verdict.firstFault;
  };

  it.each([0, 1, 3])('reports the changed entry at index %i', async (index) => {
    let id = '';
    const found = await fault((entries) => {
      ({ id } = at(entries, index));
      entries[index] = { ...at(entries, index), outcome: 'denied' };
    });
    expect(found).toMatchObject({ kind: 'entry_changed', seal: 2, entryId: id });
  });

  it.each([
    [0, 1],
    [2, 1],
    [3, 1],
    [1, 2],
  ])('reports the missing entry at index %i, with %i removed', async (index, count) => {
    const found = await fault((entries) => entries.splice(index, count));
    expect(found).toMatchObject({ kind: 'entry_missing', seal: 2 });
    expect(found?.message).toContain(`entry ${index + 1} of the 4 in seal 2`);
  });

  it('reports the first missing entry when all are removed', async () => {
    expect(await fault((entries) => entries.splice(0))).toMatchObject({ kind: 'entry_missing', seal: 2 });
  });

  it.each([
    [0, 1],
    [2, 1],
    [4, 1],
    [1, 3],
  ])('reports the inserted entry at index %i, with %i added', async (index, count) => {
    const more = Array.from({ length: count }, () => entryAt(200));
    // The reader fetches one surplus entry, which shows that entries were added.
    const found = await fault((entries) => entries.splice(index, 0, ...more) && entries.splice(5));
    expect(found).toMatchObject({ kind: 'entry_inserted', seal: 2, entryId: more[0]?.id });
  });

  it('reports an inserted copy of a sealed entry', async () => {
    const found = await fault((entries) => entries.splice(1, 0, at(entries, 0)));
    expect(found).toMatchObject({ kind: 'entry_inserted', seal: 2 });
  });

  it.each([
    [0, 1],
    [1, 3],
  ])('reports the first of two swapped entries, %i and %i', async (one, other) => {
    let id = '';
    const found = await fault((entries) => {
      const [a, b] = [at(entries, one), at(entries, other)];
      entries[one] = { ...b, seq: a.seq };
      entries[other] = { ...a, seq: b.seq };
      ({ id } = b);
    });
    expect(found).toMatchObject({ kind: 'entry_reordered', seal: 2, entryId: id });
  });

  it('reports swapped lines of a file', async () => {
    const found = await fault((entries) => entries.push(...entries.splice(0, 1)));
    expect(found).toMatchObject({ kind: 'entry_reordered', seal: 2 });
  });

  it('reports an unsealed entry before the last seal', async () => {
    const blocks = trail();
    const intruder = at(entriesOf(blocks, 1), 0);
    const { firstFault } = await verify([...blocks, { entries: [intruder], seal: null }]);
    expect(firstFault).toMatchObject({ kind: 'entry_inserted', entryId: intruder.id });
  });

  it('reports more entries than a seal can hold', async () => {
    const blocks = trail();
    const many = Array.from({ length: MAX_ENTRIES_PER_SEAL + 1 }, (_, index) => entryAt(1000 + index));
    const { firstFault } = await verify([
      ...blocks.slice(0, 2),
      { entries: many, seal: null },
      ...blocks.slice(2),
    ]);
    expect(firstFault).toMatchObject({ kind: 'entry_inserted', seal: 3 });
  });
});

describe('verifyAuditLog on seals', () => {
  const faultOf = async (blocks: readonly SealedBlock[], trust: Partial<TrustAnchors> = {}) =>
    (await verify(blocks, trust)).firstFault;
  const withSeal = (
    blocks: readonly SealedBlock[],
    index: number,
    change: (seal: StoredSeal) => StoredSeal,
  ) => blocks.with(index, { entries: entriesOf(blocks, index), seal: change(sealOf(blocks, index)) });

  it('reports a missing seal in the middle or at the start', async () => {
    const blocks = trail();
    expect(await faultOf(blocks.toSpliced(1, 1))).toMatchObject({ kind: 'seal_missing', seal: 2 });
    expect(await faultOf(blocks.slice(1))).toMatchObject({ kind: 'seal_missing', seal: 1 });
  });

  it.each<[string, Partial<StoredSeal>]>([
    ['entries', { entries: 3 }],
    ['its root', { root: Buffer.alloc(32) }],
    ['the time', { sealedAt: new Date(0) }],
    ['the position', { position: { epoch: 1, xid: '700', seq: '999' } }],
    ['its hash', { hash: Buffer.alloc(32) }],
    ['the hashes of its entries', { leafHashes: [] }],
  ])('reports a seal after a change to %s', async (_, change) => {
    const blocks = withSeal(trail(), 1, (seal) => ({ ...seal, ...change }));
    expect(await faultOf(blocks)).toMatchObject({ kind: 'seal_changed', seal: 2 });
  });

  it('reports a seal whose leaf hashes were changed along with an entry', async () => {
    const blocks = trail((entries) => entries.splice(2, 1, { ...at(entries, 2), outcome: 'denied' }));
    const leafHashes = entriesOf(blocks, 1).map(leafHash);
    const changed = withSeal(blocks, 1, (seal) => ({ ...seal, leafHashes }));
    expect(await faultOf(changed)).toMatchObject({ kind: 'seal_changed', seal: 2 });
  });

  it('reports a seal that was rebuilt over other entries without the key', async () => {
    const blocks = trail();
    const entries = entriesOf(blocks, 1).slice(1);
    const forged = sealOver(entries, sealOf(blocks, 0), { ...key, privateKey: makeAuditKey().privateKey });
    const { firstFault } = await verify(blocks.with(1, { entries, seal: forged }));
    expect(firstFault).toMatchObject({ kind: 'signature_wrong', seal: 2 });
  });

  it('reports a seal that was signed with a key of the forger', async () => {
    const blocks = trail();
    const entries = entriesOf(blocks, 1).slice(1);
    const forged = sealOver(entries, sealOf(blocks, 0), makeAuditKey());
    const { firstFault } = await verify(blocks.with(1, { entries, seal: forged }));
    expect(firstFault).toMatchObject({ kind: 'key_unknown', seal: 2 });
  });

  it('reports the seal after a rebuilt one, even if the real key signed it', async () => {
    const blocks = trail();
    const entries = entriesOf(blocks, 1).slice(1);
    const forged = sealOver(entries, sealOf(blocks, 0), key);
    const { firstFault } = await verify(blocks.with(1, { entries, seal: forged }));
    expect(firstFault).toMatchObject({ kind: 'chain_broken', seal: 3 });
  });

  it('reports the first missing seal when the end was removed before the kept head', async () => {
    const blocks = trail();
    const head = sealOf(blocks, 2);
    expect(await faultOf(blocks, { head })).toBeUndefined();
    expect(await faultOf(blocks.slice(0, 1), { head })).toMatchObject({ kind: 'head_missing', seal: 2 });
    expect(await faultOf([], { head })).toMatchObject({ kind: 'head_missing', seal: 1 });
    expect(await faultOf(blocks.slice(0, 2))).toBeUndefined();
  });

  it('reports a rebuilt kept head, even if the real key signed it', async () => {
    const blocks = trail();
    const entries = entriesOf(blocks, 2).slice(1);
    const forged = sealOver(entries, sealOf(blocks, 1), key);
    const { firstFault } = await verify(blocks.with(2, { entries, seal: forged }), {
      head: sealOf(blocks, 2),
    });
    expect(firstFault).toMatchObject({ kind: 'head_replaced', seal: 3 });
  });
});

describe('keySetOf', () => {
  it('names a key by its thumbprint (RFC 8037, A.3), regardless of its given id', () => {
    const named = { x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', kid: 'another' };
    expect([...keySetOf([named]).keys()]).toEqual(['kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k']);
  });
});
