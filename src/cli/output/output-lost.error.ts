import { getSystemErrorMessage } from 'node:util';

/** Standard output cannot be written any more. */
export class OutputLostError extends Error {
  /** True if the reader left before the end, as head does. Then nothing has failed. */
  readonly isReaderGone: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    const reason = cause.errno === undefined ? cause.message : getSystemErrorMessage(cause.errno);
    super(`standard output: ${reason}`, { cause });
    this.isReaderGone = cause.code === 'EPIPE';
  }
}
