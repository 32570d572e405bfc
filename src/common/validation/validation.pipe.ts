import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { AppError, type ErrorDetail } from '../errors/app.error.js';
import { shownName } from '../text.js';

/** The maximum number of errors in one response. A body can have one per item. */
const MAX_DETAILS = 20;

/** Returns the message about a property that the DTO class does not have. */
type UnknownMessage = (property: string) => string;

export const notKnown: UnknownMessage = (property) => `${shownName(property)} is not a known property`;

/**
 * Returns the pipe that validates all bodies and queries against DTO classes. It rejects unknown properties
 * and converts no types.
 */
export const createValidationPipe = (unknownMessage: UnknownMessage = notKnown): ValidationPipe =>
  new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    stopAtFirstError: true,
    validationError: { target: false },
    exceptionFactory: (errors) => toAppError(errors, unknownMessage),
  });

function toAppError(errors: ValidationError[], unknownMessage: UnknownMessage): AppError {
  const details = errors.flatMap((error) => describe(error, '', unknownMessage)).slice(0, MAX_DETAILS);
  return new AppError('VALIDATION_ERROR', { message: details[0]?.message, details });
}

function describe(error: ValidationError, path: string, unknownMessage: UnknownMessage): ErrorDetail[] {
  const name = shownName(error.property);
  const field = path === '' ? name : `${path}.${name}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    field,
    message: rule === 'whitelistValidation' ? unknownMessage(error.property) : messageOf(error, message),
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => describe(child, field, unknownMessage))];
}

/** Returns the message of an error. Absent optional properties are not checked, so an absent one here is required. */
const messageOf = ({ property, value }: ValidationError, message: string): string =>
  value === undefined ? `${property} is required` : message;
