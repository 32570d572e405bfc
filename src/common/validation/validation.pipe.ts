import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError, type ErrorDetail } from '../errors/app.error.js';
import { shownName } from '../text.js';

/** The maximum number of errors in one response. A body can have one per item. */
const MAX_DETAILS = 20;

/**
 * Returns the pipe that validates all bodies and queries against DTO classes. It rejects unknown properties
 * and converts no types.
 */
export const createValidationPipe = (): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    stopAtFirstError: true,
    validationError: { target: false },
    exceptionFactory: toAppError,
  });

function toAppError(errors: ValidationError[]): AppError {
  const details = errors.flatMap((error) => describe(error, '')).slice(0, MAX_DETAILS);
  return new AppError('VALIDATION_ERROR', { message: details[0]?.message, details });
}

function describe(error: ValidationError, path: string): ErrorDetail[] {
  const name = shownName(error.property);
  const field = path === '' ? name : `${path}.${name}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    field,
    message: messageOf(error, rule, message),
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => describe(child, field))];
}

/** Returns the message of an error. Absent optional properties are not checked, so an absent one here is required. */
function messageOf({ property, value }: ValidationError, rule: string, message: string): string {
  if (rule === 'whitelistValidation') return `${shownName(property)} is not a known property`;
  return value === undefined ? `${property} is required` : message;
}
