import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiExtension, ApiHeader, ApiResponse } from '@nestjs/swagger';

/**
 * Marks an operation whose responses carry an `ETag`. The extension is removed before the OpenAPI document is
 * served.
 */
export const VERSIONED = 'x-versioned';

const IS_VERSIONED = 'gatehouse:versioned';

/** Marks a route that returns a versioned record. The adapter sends its ETag and evaluates the preconditions of a read. */
export const Versioned = () =>
  applyDecorators(SetMetadata(IS_VERSIONED, true), ApiExtension(VERSIONED, true));

export const isVersioned = (handler: object): boolean => Reflect.getMetadata(IS_VERSIONED, handler) === true;

const EXAMPLE = '"0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10.3"';

const ifMatch = (example: string) => ({
  name: 'If-Match',
  description: 'The ETag that the record must have, as received, or `*`. Otherwise the response is 412',
  schema: { type: 'string' as const, example },
});

const ifNoneMatch = (example: string) => ({
  name: 'If-None-Match',
  required: false,
  description:
    'ETags that the record must not have, or `*`. A read of one of them is answered by 304, a write by 412',
  schema: { type: 'string' as const, example },
});

/** Marks a versioned read and documents its conditional GET. */
export const ConditionalGet = (example = EXAMPLE) =>
  applyDecorators(
    Versioned(),
    ApiHeader({ ...ifMatch(example), required: false }),
    ApiHeader(ifNoneMatch(example)),
    ApiResponse({ status: 304, description: 'The version named in If-None-Match is the current one' }),
  );

/** Documents the preconditions of a write. `required` applies to `If-Match`. */
export const ApiPreconditions = ({ required = false, example = EXAMPLE } = {}) =>
  applyDecorators(ApiHeader({ ...ifMatch(example), required }), ApiHeader(ifNoneMatch('*')));
