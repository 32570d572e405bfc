/** Explanations of the operating system errors that a start may meet. Other errors speak for themselves. */
const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken: stop what listens there, or set PORT',
  EACCES: 'permission denied for the port (below 1024?) or for a file',
  EADDRNOTAVAIL: 'HOST is not an address of this machine',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
};

/** Returns one line that says why the service did not start, or what else failed, without a stack. */
export function describeStartFailure(error: unknown, failure = 'Gatehouse could not start'): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  const hint = HINTS[code];
  const text = hint ? `${hint} (${message})` : message;
  return `${failure}: ${text.replaceAll(/\s*\n\s*/g, '; ')}`;
}
