import { HashFault, type Pbkdf2Hash, type Reading } from '../hash.types.js';
import { decodeBase64 } from './encodings.js';
import { checkIterations, ENCODED_SALT } from './limits.js';

/** A marker, 16 bytes of salt and 32 of PBKDF2 with SHA-1. */
const V2_BYTES = 49;
const V2_SALT_END = 17;
const V2_ITERATIONS = 1000;
/** A marker and three big-endian numbers: the hash function, the iterations and the length of the salt. */
const V3_HEADER_BYTES = 13;
const V3_HASHES = ['sha1', 'sha256', 'sha512'] as const;

/** Reads the hashes of ASP.NET Identity, base64 of all parameters and bytes. */
export function readAspNet(text: string): Reading | null {
  if (!/^A[A-Q][A-Za-z\d+/]+={0,2}$/.test(text)) return null;
  const bytes = decodeBase64(text);
  if (bytes === null) return null;
  return readV2(bytes) ?? readV3(Buffer.from(bytes));
}

function readV2(bytes: Uint8Array): Reading | null {
  if (bytes[0] !== 0 || bytes.length !== V2_BYTES) return null;
  return checkIterations(
    'ASP.NET Identity v2',
    {
      algorithm: 'pbkdf2',
      hash: 'sha1',
      iterations: V2_ITERATIONS,
      salt: bytes.subarray(1, V2_SALT_END),
      digest: bytes.subarray(V2_SALT_END),
    },
    ENCODED_SALT,
  );
}

function readV3(bytes: Buffer): Reading | null {
  if (bytes[0] !== 1 || bytes.length < V3_HEADER_BYTES) return null;
  const [hash, iterations, saltBytes] = [1, 5, 9].map((at) => bytes.readUInt32BE(at)) as [
    number,
    number,
    number,
  ];
  const scheme = 'ASP.NET Identity v3';
  const name: Pbkdf2Hash['hash'] | undefined = V3_HASHES[hash];
  if (name === undefined) return new HashFault(`is ${scheme} with an unknown hash function`);
  return checkIterations(
    scheme,
    {
      algorithm: 'pbkdf2',
      hash: name,
      iterations,
      salt: bytes.subarray(V3_HEADER_BYTES, V3_HEADER_BYTES + saltBytes),
      digest: bytes.subarray(V3_HEADER_BYTES + saltBytes),
    },
    ENCODED_SALT,
  );
}
