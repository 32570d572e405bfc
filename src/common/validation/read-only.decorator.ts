import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Allow } from 'class-validator';
import { AppError } from '../errors/app.error.js';

/** The largest version that a record can have. */
export const MAX_VERSION = 2_147_483_647;

/**
 * Accepts a property that the record has and a client cannot set, so that a client may send back the record that it
 * read. The value has no effect.
 */
export const IsReadOnlyProperty = (): PropertyDecorator => applyDecorators(ApiPropertyOptional(), Allow());

/**
 * Refuses a body that names another record than the path, because it was probably sent to the wrong address.
 * @throws AppError `VALIDATION_ERROR`
 */
export function assertNamedAsInPath(property: string, sent: unknown, inPath: string): void {
  if (sent !== undefined && sent !== inPath)
    throw AppError.invalid(property, `${property} must be the one in the path`);
}
