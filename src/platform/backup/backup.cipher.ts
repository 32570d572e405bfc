import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  scrypt as scryptWithCallback,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import { BackupFileError } from './backup-file.error.js';

const scrypt = promisify<string, Buffer, number, object, Buffer>(scryptWithCallback);

const MAGIC = Buffer.from('GHBACKUP');
const FORMAT = 1;
const SALT_BYTES = 32;
const CHECKSUM_BYTES = 16;
const MAC_BYTES = 32;
const PARAMETERS_BYTES = MAGIC.length + 4;
const CHECKSUM_AT = PARAMETERS_BYTES + SALT_BYTES;
const MAC_AT = CHECKSUM_AT + CHECKSUM_BYTES;
export const HEADER_BYTES = MAC_AT + MAC_BYTES;

export const CHUNK_BYTES = 64 * 1024;
export const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const COUNTER_AT = 3;
const KEY_BYTES = 32;

/** The cost of one guess of the passphrase: 128 · N · r bytes of memory, p times. OWASP lists these parameters. */
interface ScryptCost {
  /** N = 2^logN */
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}
const COST: ScryptCost = { logN: 15, r: 8, p: 3 };
/** Bounds on what a file may demand, because its header is read before anything proves where it comes from. */
const MAX_MEMORY_BYTES = 40 * 1024 * 1024;
const MAX_P = 16;

/**
 * Encrypts and decrypts the contents of one backup file in chunks of 64 KiB, with AES-256-GCM and the STREAM construction
 * (Hoang, Reyhanitabar, Rogaway and Vizár 2015). The nonce of a chunk is its number and whether it is the last. So a
 * chunk that is missing, moved, repeated or taken from another file is noticed, and so is a cut after any chunk.
 *
 * The key comes from the passphrase and a random salt, so each file has a key of its own and numbers may serve as nonces.
 * The header holds a checksum, which shows damage, and a MAC, which shows a wrong passphrase before any chunk is read.
 */
export class BackupCipher {
  private constructor(
    readonly header: Buffer,
    private readonly key: Buffer,
  ) {}

  /** Makes the cipher of a new file. Takes about a quarter of a second and 32 MiB for the key. */
  static async create(passphrase: string): Promise<BackupCipher> {
    const { logN, r, p } = COST;
    const parameters = Buffer.concat([MAGIC, Buffer.of(FORMAT, logN, r, p), randomBytes(SALT_BYTES)]);
    const open = Buffer.concat([parameters, checksumOf(parameters)]);
    const { key, macKey } = await deriveKeys(passphrase, open);
    return new BackupCipher(Buffer.concat([open, macOf(open, macKey)]), key);
  }

  /**
   * Makes the cipher of an existing file from its first {@link HEADER_BYTES} bytes.
   * @throws BackupFileError when the file is no backup, is damaged, or has another passphrase
   */
  static async open(header: Buffer, passphrase: string): Promise<BackupCipher> {
    if (!header.subarray(0, MAGIC.length).equals(MAGIC))
      throw new BackupFileError('is not a backup of Gatehouse');
    if (header.length < HEADER_BYTES) throw new BackupFileError('is cut off');
    const format = header[MAGIC.length] ?? 0;
    if (format !== FORMAT) {
      throw new BackupFileError(`has format ${format}, and this version of Gatehouse reads format ${FORMAT}`);
    }
    const open = header.subarray(0, MAC_AT);
    if (!checksumOf(header.subarray(0, CHECKSUM_AT)).equals(header.subarray(CHECKSUM_AT, MAC_AT))) {
      throw new BackupFileError('is damaged in its header');
    }
    const { key, macKey } = await deriveKeys(passphrase, open);
    if (!timingSafeEqual(macOf(open, macKey), header.subarray(MAC_AT, HEADER_BYTES))) {
      throw new BackupFileError('has another passphrase');
    }
    return new BackupCipher(header, key);
  }

  /** Yields the chunks of a file after its header. */
  async *encrypt(plain: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let number = 0;
    for await (const { bytes, last } of inChunks(plain, CHUNK_BYTES)) {
      const cipher = createCipheriv('aes-256-gcm', this.key, nonceOf(number++, last), {
        authTagLength: TAG_BYTES,
      });
      cipher.setAAD(this.header);
      yield cipher.update(bytes);
      // Adds nothing in this mode, and the tag exists only afterwards.
      cipher.final();
      yield cipher.getAuthTag();
    }
  }

  /**
   * Yields the contents of the chunks after the header. Nothing is yielded of a chunk before it is proven.
   * @throws BackupFileError at the first chunk that is damaged, or in a place that is not its own
   */
  async *decrypt(encrypted: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let number = 0;
    for await (const { bytes, last } of inChunks(encrypted, CHUNK_BYTES + TAG_BYTES)) {
      yield this.decryptChunk(bytes, number++, last);
    }
  }

  private decryptChunk(chunk: Buffer, number: number, last: boolean): Buffer {
    const end = chunk.length - TAG_BYTES;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, nonceOf(number, last), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(this.header);
      decipher.setAuthTag(chunk.subarray(end));
      const plain = decipher.update(chunk.subarray(0, end));
      decipher.final();
      return plain;
    } catch {
      const at = HEADER_BYTES + number * (CHUNK_BYTES + TAG_BYTES);
      throw new BackupFileError(
        last
          ? `is cut off or damaged after byte ${at}`
          : `is damaged between the bytes ${at} and ${at + chunk.length}`,
      );
    }
  }
}

interface Chunk {
  /** Valid until the next chunk is asked for. */
  readonly bytes: Buffer;
  readonly last: boolean;
}

/** Yields the bytes in chunks of `size`, and a last one of at most that size. */
async function* inChunks(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Chunk> {
  const room = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length;) {
      if (filled === size) {
        yield { bytes: room, last: false };
        filled = 0;
      }
      const copied = bytes.copy(room, filled, at);
      at += copied;
      filled += copied;
    }
  }
  yield { bytes: room.subarray(0, filled), last: true };
}

function nonceOf(number: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeBigUInt64BE(BigInt(number), COUNTER_AT);
  nonce[NONCE_BYTES - 1] = Number(last);
  return nonce;
}

/** Derives the keys by the parameters and the salt of a header. */
async function deriveKeys(passphrase: string, header: Buffer): Promise<{ key: Buffer; macKey: Buffer }> {
  const [logN = 0, r = 0, p = 0] = header.subarray(MAGIC.length + 1, PARAMETERS_BYTES);
  const memory = 128 * 2 ** logN * r;
  if (logN < 1 || r < 1 || p < 1 || p > MAX_P || memory > MAX_MEMORY_BYTES) {
    throw new BackupFileError('demands more work for its passphrase than a backup of Gatehouse may');
  }
  const salt = header.subarray(PARAMETERS_BYTES, CHECKSUM_AT);
  // The same passphrase may be typed in composed or in decomposed characters.
  const derived = await scrypt(passphrase.normalize('NFC'), salt, 2 * KEY_BYTES, {
    N: 2 ** logN,
    r,
    p,
    maxmem: 2 * MAX_MEMORY_BYTES,
  });
  return { key: derived.subarray(0, KEY_BYTES), macKey: derived.subarray(KEY_BYTES) };
}

const checksumOf = (bytes: Buffer): Buffer =>
  createHash('sha256').update(bytes).digest().subarray(0, CHECKSUM_BYTES);

const macOf = (bytes: Buffer, key: Buffer): Buffer => createHmac('sha256', key).update(bytes).digest();
