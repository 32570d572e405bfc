import type { AppError } from '../../../common/errors/app.error.js';
import type { ErrorExtension } from '../../../platform/http/answers/error-extension.decorator.js';

const CONTEXT = 'context';
export const TARGETING_KEY = `${CONTEXT}.targetingKey`;

/** Returns what OFREP wants in the bodies of 400, 404 and 500. It defines no bodies for other refusals. */
export const ofrepErrors: ErrorExtension = (error, { params }) => {
  const { key } = params;
  const errorDetails = error.message;
  const errorCode = codeOf(error);
  return errorCode === null ? null : { ...(typeof key === 'string' && { key }), errorCode, errorDetails };
};

function codeOf({ status, details }: AppError): string | null {
  if (status === 500) return 'GENERAL';
  if (status === 404) return 'FLAG_NOT_FOUND';
  if (status !== 400) return null;
  const field = details?.[0]?.field;
  if (field === TARGETING_KEY) return 'TARGETING_KEY_MISSING';
  return field === CONTEXT ? 'INVALID_CONTEXT' : 'PARSE_ERROR';
}
