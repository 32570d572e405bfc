import { Socket } from 'node:net';

/** What one read of the system call brings at most. */
const READ_BYTES = 64 * 1024;
/** All sockets read into it, one after the other: what is read is handed on before the next read. */
const BUFFER = Buffer.allocUnsafeSlow(READ_BYTES);

/** Reads bytes that lie there only until it returns. */
export type Reader = (bytes: Buffer) => void;

/**
 * A socket that does not take new memory for each read: under a COPY the garbage collector would have more to
 * do than everybody else. Its listeners get copies, which they may keep; a reader gets what is read as it is.
 */
export class OneBufferSocket extends Socket {
  reader: Reader | null = null;

  constructor() {
    const onRead = (length: number): boolean => {
      const bytes = BUFFER.subarray(0, length);
      if (this.reader) this.reader(bytes);
      else this.emit('data', Buffer.from(bytes));
      return true;
    };
    super({ onread: { buffer: BUFFER, callback: onRead } });
  }
}
