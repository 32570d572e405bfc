import { HashFault, type Reading } from '../hash.types.js';
import { decodeEitherBase64, NUMBER } from './encodings.js';
import { checkFirebase, malformed, undecodable } from './limits.js';

export const FIREBASE_PREFIX = '$firebase-scrypt$';
const SCHEME = 'Firebase scrypt';
const BYTES = '([A-Za-z\\d+/_-]+={0,2})';
/** The key itself, or the id of the stored key. */
const FIREBASE = new RegExp(
  `^\\$firebase-scrypt\\$r=${NUMBER},m=${NUMBER},sep=([A-Za-z\\d+/_-]*={0,2}),(?:key=${BYTES}|ref=([\\da-f-]{36}))\\$${BYTES}\\$${BYTES}$`,
);

/** Reads the spelling that carries the parameters of a Firebase project. */
export function readFirebase(text: string): Reading | null {
  if (!text.startsWith(FIREBASE_PREFIX)) return null;
  const [, r, m, separator = '', keyText, reference, saltText = '', digestText = ''] =
    FIREBASE.exec(text) ?? [];
  if (r === undefined) return malformed(SCHEME, '$firebase-scrypt$r=…,m=…,sep=…,key=…$salt$hash');
  const [salt, separatorBytes, digest] = [saltText, separator, digestText].map(decodeEitherBase64);
  const signer = reference ?? decodeEitherBase64(keyText ?? '');
  if (!salt || !separatorBytes || !digest || signer === null) return undecodable(SCHEME);
  if (typeof signer !== 'string' && signer.length !== digest.length)
    return new HashFault(
      `is ${SCHEME}: its hash has ${digest.length} bytes instead of the ${signer.length} of its key`,
    );
  return checkFirebase(SCHEME, {
    algorithm: 'firebase-scrypt',
    logN: Number(m),
    blockSize: Number(r),
    salt: Buffer.concat([salt, separatorBytes]),
    digest,
    signer,
  });
}

/** Returns the text of a hash with its key replaced by the id under which the key is stored. */
export const withSignerReference = (text: string, id: string): string =>
  text.replace(/,key=[^$]+/, `,ref=${id}`);
