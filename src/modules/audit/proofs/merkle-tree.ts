import { hash } from 'node:crypto';

/** The size of a hash in the tree of RFC 6962 (and RFC 9162, 2.1), over SHA-256. */
export const HASH_BYTES = 32;

/** Prefixes that keep leaves and nodes apart, so that a node can never pass for a leaf. */
const LEAF = Buffer.of(0x00);
const NODE = Buffer.of(0x01);

const sha256 = (...parts: readonly Buffer[]): Buffer => hash('sha256', Buffer.concat(parts), 'buffer');

export const hashLeaf = (data: Buffer): Buffer => sha256(LEAF, data);

const hashNode = (left: Buffer, right: Buffer): Buffer => sha256(NODE, left, right);

/** Returns the root over the leaf hashes. Without leaves it is the hash of no bytes. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  return leaves.length === 0 ? sha256() : subtree(leaves, 0, leaves.length);
}

/**
 * Returns the path from a leaf to the root. At each level it holds the hash of the half without the leaf,
 * from the bottom up.
 * @throws RangeError if the leaf does not exist
 */
export function inclusionPath(leaves: readonly Buffer[], index: number): Buffer[] {
  if (!isLeafOf(index, leaves.length)) throw new RangeError(`leaf ${index} does not exist`);
  const path: Buffer[] = [];
  let from = 0;
  let to = leaves.length;
  while (to - from > 1) {
    const middle = from + split(to - from);
    if (index < middle) {
      path.unshift(subtree(leaves, middle, to));
      to = middle;
    } else {
      path.unshift(subtree(leaves, from, middle));
      from = middle;
    }
  }
  return path;
}

export interface Inclusion {
  readonly index: number;
  /**
   * The number of leaves in the tree. Take it from the signed seal, because some paths also hold for other
   * sizes.
   */
  readonly size: number;
  readonly path: readonly Buffer[];
}

/** Returns true if the leaf has that index in the tree with that root (RFC 9162, 2.1.3.2). */
export function isIncluded(leaf: Buffer, { index, size, path }: Inclusion, root: Buffer): boolean {
  if (!isLeafOf(index, size)) return false;
  // The node's index and the last index of its level. When the last index is 0, the level is the root's.
  let own = index;
  let last = size - 1;
  let reached = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (own % 2 === 1 || own === last) {
      reached = hashNode(sibling, reached);
      // The last node of an odd level has no right sibling and moves up unchanged.
      while (own % 2 === 0 && own !== 0) {
        own = half(own);
        last = half(last);
      }
    } else {
      reached = hashNode(reached, sibling);
    }
    own = half(own);
    last = half(last);
  }
  return last === 0 && reached.equals(root);
}

const isLeafOf = (index: number, size: number): boolean =>
  Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size;

const half = (number: number): number => Math.floor(number / 2);

function subtree(leaves: readonly Buffer[], from: number, to: number): Buffer {
  const leaf = leaves[from];
  if (!leaf) throw new RangeError(`leaf ${from} does not exist`);
  if (to - from === 1) return leaf;
  const middle = from + split(to - from);
  return hashNode(subtree(leaves, from, middle), subtree(leaves, middle, to));
}

/** Returns the number of leaves in the left half: the largest power of two below `size`. */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}
