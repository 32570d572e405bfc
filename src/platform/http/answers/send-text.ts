import type { Request, Response } from 'express';
import { compress, MIN_COMPRESSED_BYTES } from './compress.js';

const NO_TRANSFORM = /(?:^|,)\s*no-transform\s*(?:,|$)/i;

/** Sends a text whose `Content-Type` is set and compressible. Wraps the response for compression only if it is worth it. */
export function sendText(request: Request, response: Response, text: string): void {
  const length = Buffer.byteLength(text);
  if (length >= MIN_COMPRESSED_BYTES) compress(request, response);
  else if (!NO_TRANSFORM.test(String(response.getHeader('Cache-Control')))) varyByEncoding(response);
  response.setHeader('Content-Length', length);
  response.end(request.method === 'HEAD' ? undefined : text);
}

/**
 * A larger response to the same request may be compressed. `response.vary()` would parse the header for each response,
 * which allocates 0.7 KB more on `GET /health/live`. Nothing before has named this header.
 */
function varyByEncoding(response: Response): void {
  const vary = response.getHeader('Vary');
  response.setHeader('Vary', vary === undefined ? 'Accept-Encoding' : `${String(vary)}, Accept-Encoding`);
}
