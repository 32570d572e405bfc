/** Why the server's processes cannot be signalled from here; null when they can. */
export const noSignals: string | null =
  process.platform === 'win32'
    ? 'Windows has no SIGSTOP'
    : process.env['TEST_DATABASE_URL']
      ? 'the server of TEST_DATABASE_URL may be another machine'
      : null;

/** Freezes the process of a connection: its socket stays open, and it neither answers nor fails. */
export function freeze(pid: number): () => void {
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
}
