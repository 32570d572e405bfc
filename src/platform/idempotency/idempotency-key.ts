import type { ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { AppError } from '../../common/errors/app.error.js';

export const KEY_HEADER = 'Idempotency-Key';
export const REPLAYED_HEADER = 'Idempotency-Replayed';
export const MAX_KEY_LENGTH = 255;
/**
 * Matches visible ASCII (VCHAR of RFC 5234). Node joins the values of a repeated header with a space, which
 * does not match.
 */
const KEY = new RegExp(`^[!-~]{1,${MAX_KEY_LENGTH}}$`);

/**
 * Returns the request's key, or null when none was sent.
 * @throws AppError `VALIDATION_ERROR`
 */
export function idempotencyKey(request: Request): string | null {
  const key = sentKey(request);
  if (key === undefined) return null;
  if (KEY.test(key)) return key;
  throw AppError.invalid(
    KEY_HEADER,
    `${KEY_HEADER} must be sent once, with 1 to ${MAX_KEY_LENGTH} visible ASCII characters`,
  );
}

/** Returns the header as it was sent. */
export const sentKey = ({ headers }: Request): string | undefined =>
  headers['idempotency-key'] as string | undefined;

/** The use that a POST makes of an `Idempotency-Key`. */
export type IdempotencyKeyUse = 'ignored' | 'compares-request' | 'decides-alone';

export const KEY_USE = 'gatehouse:idempotency-key';

/** Marks the use in the OpenAPI document. It is removed before the document is served. */
export const KEY_USE_EXTENSION = 'x-idempotency-key';

/** Returns what the route or its controller declares. */
export const keyUse = (context: ExecutionContext): IdempotencyKeyUse | undefined =>
  (Reflect.getMetadata(KEY_USE, context.getHandler()) ?? Reflect.getMetadata(KEY_USE, context.getClass())) as
    IdempotencyKeyUse | undefined;
