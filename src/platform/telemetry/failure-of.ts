/** A code of ours, of Node.js or of PostgreSQL. Anything else might be a message with a value in it. */
const CODE = /^[A-Z0-9_]{1,40}$/;

/** Returns the kind of an error for a span: its code, or else the name of its class. */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string' && CODE.test(error.code)) return error.code;
  return error.constructor.name;
}
