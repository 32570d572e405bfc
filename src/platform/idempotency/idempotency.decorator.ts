import { applyDecorators, type ExecutionContext, SetMetadata, UseInterceptors } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { Request } from 'express';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';
import { type IdempotencyKeyUse, KEY_USE, KEY_USE_EXTENSION, keyUse, sentKey } from './idempotency-key.js';

const declare = (use: IdempotencyKeyUse) =>
  applyDecorators(SetMetadata(KEY_USE, use), ApiExtension(KEY_USE_EXTENSION, use));

/** Ignores an `Idempotency-Key`, so that no answer is stored. */
export const IgnoresIdempotencyKey = () => declare('ignored');

/** Runs a request with an `Idempotency-Key` once, and replays its answer to the same request. */
export const Repeatable = () =>
  applyDecorators(declare('compares-request'), UseInterceptors(IdempotencyInterceptor));

/**
 * Runs a request with an `Idempotency-Key` once, and recognises its repetition by the key alone, because its body is
 * streamed and cannot be compared.
 */
export const KeyDecidesAlone = () =>
  applyDecorators(declare('decides-alone'), UseInterceptors(IdempotencyInterceptor));

/** Tells whether the interceptor will run the request once, and parse its input then. */
export function isRunOnce(context: ExecutionContext, request: Request): boolean {
  if (sentKey(request) === undefined) return false;
  const use = keyUse(context);
  return use !== undefined && use !== 'ignored';
}
