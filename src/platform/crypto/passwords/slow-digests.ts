import { hash as digestOf } from 'node:crypto';
import { encodeCrypt64 } from './formats/encodings.js';
import type { PhpassHash, ShaCryptHash } from './hash.types.js';

/** The parts of a round repeat with the least common multiple of 2, 3 and 7. */
const SHA_CRYPT_PERIOD = 42;

interface Round {
  readonly input: Buffer;
  /** The place of the former digest in the input. */
  readonly at: number;
}

/**
 * Returns the digest of a password as `crypt(3)` writes it for `$5$` and `$6$`.
 * @see https://www.akkadia.org/drepper/SHA-crypt.txt
 */
export function shaCrypt({ hash, rounds, salt: saltText }: ShaCryptHash, password: Buffer): string {
  const salt = Buffer.from(saltText);
  const digest = (...parts: readonly Buffer[]): Buffer => digestOf(hash, Buffer.concat(parts), 'buffer');
  const other = digest(password, salt, password);
  const mixed = [password, salt, repeated(other, password.length)];
  for (let bits = password.length; bits > 0; bits >>>= 1) mixed.push(bits & 1 ? other : password);
  let current = digest(...mixed);
  const passwordBytes = repeated(digest(...Array<Buffer>(password.length).fill(password)), password.length);
  const saltBytes = repeated(digest(...Array<Buffer>(16 + (current[0] ?? 0)).fill(salt)), salt.length);
  const period = Array.from({ length: SHA_CRYPT_PERIOD }, (_, round) =>
    roundOf(round, current.length, passwordBytes, saltBytes),
  );
  for (let round = 0; round < rounds; round++) {
    const { input, at } = period[round % SHA_CRYPT_PERIOD] as Round;
    current.copy(input, at);
    current = digestOf(hash, input, 'buffer');
  }
  return encodeCrypt64(permuted(current));
}

function roundOf(round: number, digestBytes: number, password: Buffer, salt: Buffer): Round {
  const former = Buffer.alloc(digestBytes);
  const isOdd = round % 2 === 1;
  const middle = [round % 3 === 0 ? [] : [salt], round % 7 === 0 ? [] : [password]].flat();
  const parts = isOdd ? [password, ...middle, former] : [former, ...middle, password];
  const input = Buffer.concat(parts);
  return { input, at: isOdd ? input.length - digestBytes : 0 };
}

/** Repeats the bytes up to a length, and cuts off the rest. */
const repeated = (bytes: Buffer, length: number): Buffer => Buffer.alloc(length, bytes);

/** Returns the bytes in the order in which `crypt(3)` encodes them: from each third in turn, rotating. */
function permuted(digest: Buffer): Buffer {
  const third = Math.floor(digest.length / 3);
  const places: number[] = [];
  for (let at = 0; at < third; at++) {
    const group = [at, at + third, at + 2 * third];
    const turn = digest.length === 64 ? at % 3 : (3 - (at % 3)) % 3;
    // The encoding takes the last byte of a group first.
    places.push(...[...group.slice(turn), ...group.slice(0, turn)].toReversed());
  }
  for (let at = 3 * third; at < digest.length; at++) places.push(at);
  return Buffer.from(places.map((place) => digest[place] ?? 0));
}

/** Returns the digest of a password as phpass writes it. */
export function phpass({ logRounds, salt }: PhpassHash, password: Buffer): string {
  let current = digestOf('md5', Buffer.concat([Buffer.from(salt), password]), 'buffer');
  const input = Buffer.concat([current, password]);
  for (let left = 2 ** logRounds; left > 0; left--) {
    current.copy(input);
    current = digestOf('md5', input, 'buffer');
  }
  return encodeCrypt64(current);
}
