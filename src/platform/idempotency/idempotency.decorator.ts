import { applyDecorators, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';

/** The use that a POST makes of an `Idempotency-Key`; a route that declares none compares the whole request. */
export type IdempotencyKeyUse = 'ignored' | 'decides-alone';

const KEY_USE = 'gatehouse:idempotency-key';

/** Marks the use in the OpenAPI document. It is removed before the document is served. */
export const KEY_USE_EXTENSION = 'x-idempotency-key';

const declare = (use: IdempotencyKeyUse) =>
  applyDecorators(SetMetadata(KEY_USE, use), ApiExtension(KEY_USE_EXTENSION, use));

/** Ignores the key, so that no answer is stored. */
export const IgnoresIdempotencyKey = () => declare('ignored');

/** Recognises a repeated request by its key alone, because its body is streamed and cannot be compared. */
export const KeyDecidesAlone = () => declare('decides-alone');

export const idempotencyKeyUse = (context: ExecutionContext): IdempotencyKeyUse | undefined =>
  (Reflect.getMetadata(KEY_USE, context.getHandler()) ?? Reflect.getMetadata(KEY_USE, context.getClass())) as
    IdempotencyKeyUse | undefined;
