import compression from 'compression';
import type { Request, Response } from 'express';

/** The size in bytes from which compression is worth its time: the library's default. */
export const MIN_COMPRESSED_BYTES = 1024;

/**
 * Tells whether a response may be compressed. The library does not know NDJSON. A 304 has no type and no body
 * to compress; it is let through so that it gets the `Vary` of the 200 it stands for.
 */
const isCompressible = (request: Request, response: Response): boolean =>
  response.statusCode === 304 ||
  String(response.getHeader('Content-Type')).startsWith('application/x-ndjson') ||
  compression.filter(request, response);

const library = compression({ filter: isCompressible, threshold: MIN_COMPRESSED_BYTES });

/** Compresses what is written to the response from now on, as its type, its size and the client allow. */
export function compress(request: Request, response: Response): void {
  library(request, response, () => {});
}
