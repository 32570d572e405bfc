/** Explanations for the error codes of the operating system and Redis. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'no answer came in time',
  EHOSTUNREACH: 'there is no way to its address',
  ENETUNREACH: 'there is no way to its address',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name could not be looked up',
  EMFILE: 'the process has no file descriptor left',
  ENFILE: 'the machine has no file descriptor left',
  NOAUTH: 'it asks for a password',
  WRONGPASS: 'it refuses the user name or the password',
  NOPERM: 'the user lacks a right',
  LOADING: 'it is still loading its data',
  READONLY: 'it takes no changes',
  OOM: 'it has no memory left',
};

/** Returns the reason why a connection is unusable, without the library's own wording. */
export function connectionFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  // A Redis error starts with its kind.
  return REASONS[code] ?? REASONS[message.split(' ', 1)[0] ?? ''] ?? 'the connection was lost';
}
