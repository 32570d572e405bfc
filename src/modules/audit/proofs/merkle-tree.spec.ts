import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hashLeaf, inclusionPath, isIncluded, rootOf } from './merkle-tree.js';

/** The tree of the RFC 6962 reference implementation, and its root after each leaf. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The paths from the same source: leaf, size, path. */
const PATHS: readonly (readonly [leaf: number, size: number, path: readonly string[]])[] = [
  [0, 1, []],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
];

const hashes = LEAVES.map((leaf) => hashLeaf(Buffer.from(leaf, 'hex')));
const tree = fc
  .array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 70 })
  .map((leaves) => leaves.map((leaf) => hashLeaf(Buffer.from(leaf))));
/** A tree, the index of one of its leaves, and a spare number. */
const proven = tree.chain((leaves) =>
  fc.record({ leaves: fc.constant(leaves), index: fc.nat(leaves.length - 1), other: fc.nat() }),
);

describe('the Merkle tree', () => {
  it('computes the roots of the reference implementation', () => {
    expect(rootOf([]).toString('hex')).toBe(EMPTY);
    const roots = hashes.map((_, index) => rootOf(hashes.slice(0, index + 1)).toString('hex'));
    expect(roots).toEqual(ROOTS);
  });

  it.each(PATHS)(
    'computes the path of the reference implementation for leaf %i of %i',
    (index, size, path) => {
      const found = inclusionPath(hashes.slice(0, size), index);
      expect(found.map((each) => each.toString('hex'))).toEqual(path);
    },
  );

  it('proves every leaf of every tree', () => {
    fc.assert(
      fc.property(tree, (leaves) => {
        const root = rootOf(leaves);
        for (const [index, leaf] of leaves.entries()) {
          const path = inclusionPath(leaves, index);
          expect(isIncluded(leaf, { index, size: leaves.length, path }, root)).toBe(true);
        }
      }),
    );
  });

  it('rejects a proof after a bit of the leaf, path or root is flipped', () => {
    fc.assert(
      fc.property(proven, ({ leaves, index, other }) => {
        const size = leaves.length;
        const parts = [leaves[index], rootOf(leaves), ...inclusionPath(leaves, index)].map((each) =>
          Buffer.from(each ?? ''),
        );
        const bit = other % (parts.length * 256);
        const touched = parts[Math.floor(bit / 256)];
        if (touched) touched[Math.floor((bit % 256) / 8)]! ^= 1 << (bit % 8);
        const [leaf, root, ...path] = parts as [Buffer, Buffer, ...Buffer[]];
        expect(isIncluded(leaf, { index, size, path }, root)).toBe(false);
      }),
    );
  });

  it('proves a leaf only at its own index, even among equal leaves', () => {
    fc.assert(
      fc.property(tree, (leaves) => {
        const root = rootOf(leaves);
        for (const [index, leaf] of leaves.entries()) {
          const path = inclusionPath(leaves, index);
          for (const place of leaves.keys()) {
            const claim = { index: place, size: leaves.length, path };
            if (place !== index && !leaves[place]?.equals(leaf)) {
              expect(isIncluded(leaf, claim, root)).toBe(false);
            }
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  it('rejects a path that is too short or too long', () => {
    fc.assert(
      fc.property(proven, ({ leaves, index }) => {
        const [leaf, size, root] = [leaves[index] ?? Buffer.alloc(0), leaves.length, rootOf(leaves)];
        const path = inclusionPath(leaves, index);
        expect(isIncluded(leaf, { index, size, path: [...path, leaf] }, root)).toBe(false);
        if (path.length > 0) {
          expect(isIncluded(leaf, { index, size, path: path.slice(1) }, root)).toBe(false);
          expect(isIncluded(leaf, { index, size, path: path.slice(0, -1) }, root)).toBe(false);
        }
      }),
    );
  });

  it.each([
    [0, 0],
    [8, 8],
    [-1, 8],
    [0.5, 8],
    [Number.NaN, 8],
  ])('rejects leaf %d of %d', (index, size) => {
    const [leaf = Buffer.alloc(0)] = hashes;
    expect(isIncluded(leaf, { index, size, path: [] }, rootOf(hashes))).toBe(false);
    expect(() => inclusionPath(hashes.slice(0, size), index)).toThrow(RangeError);
  });
});
