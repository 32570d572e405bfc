import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { AppError } from '../../../common/errors/app.error.js';

/**
 * The maximum ratio of expanded to received bytes. Files of users reach 10 to 30, and deflate itself 1032. A
 * body above it is an attack.
 */
export const MAX_GZIP_RATIO = 100;
/** The number of expanded bytes up to which the ratio is not judged, because short bodies can repeat a lot. */
export const UNJUDGED_BYTES = 1024 * 1024;
/** The number of expanded bytes in memory at once, per body. */
const EXPANDED_CHUNK_BYTES = 64 * 1024;

/**
 * Yields the expanded bytes of a gzip body as they arrive, in chunks of at most {@link EXPANDED_CHUNK_BYTES}.
 * @throws AppError `PAYLOAD_TOO_LARGE` past {@link MAX_GZIP_RATIO}, `VALIDATION_ERROR` for a body that is not
 * gzip or is cut off, and the errors of `body`
 */
export async function* expandGzip(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: EXPANDED_CHUNK_BYTES });
  let received = 0;
  async function* counted() {
    for await (const chunk of body) {
      received += chunk.length;
      yield chunk;
    }
  }
  // An error of the body or of its format reaches the loop below.
  pipeline(Readable.from(counted()), gunzip).catch(() => {});
  let expanded = 0;
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      expanded += chunk.length;
      if (expanded > UNJUDGED_BYTES && expanded > received * MAX_GZIP_RATIO) throw tooDense();
      yield chunk;
    }
  } catch (error) {
    throw isFormatError(error) ? AppError.invalid('body', 'body must be valid gzip') : error;
  } finally {
    gunzip.destroy();
  }
}

const tooDense = (): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', {
    message: `A compressed body may expand to at most ${MAX_GZIP_RATIO} times its size. Send it uncompressed`,
  });

/** Recognizes the errors of zlib by their codes, such as `Z_DATA_ERROR`. */
const isFormatError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
