import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError, type ErrorDetail } from '../errors/app-error.js';

/** Faults named in one answer; a body can have as many as it has items. */
const MAX_DETAILS = 20;

/** The one way in for bodies and queries: DTO classes, unknown properties refused, no coercion. */
export const createValidationPipe = (): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
    exceptionFactory: toAppError,
  });

function toAppError(errors: ValidationError[]): AppError {
  const details = errors.flatMap((error) => describe(error, '')).slice(0, MAX_DETAILS);
  return new AppError('VALIDATION_ERROR', { message: details[0]?.message, details });
}

function describe(error: ValidationError, path: string): ErrorDetail[] {
  const field = path === '' ? error.property : `${path}.${error.property}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    field,
    message: rule === 'whitelistValidation' ? `${error.property} is not known here` : message,
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => describe(child, field))];
}
