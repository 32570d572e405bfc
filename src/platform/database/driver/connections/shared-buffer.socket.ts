import { Socket } from 'node:net';

/** The maximum number of bytes that one read returns. */
const READ_BYTES = 64 * 1024;
/** The buffer that all sockets read into. Each read is handed on before the next one starts. */
const BUFFER = Buffer.allocUnsafeSlow(READ_BYTES);

/** Receives bytes that are valid only until it returns. */
export type Reader = (bytes: Buffer) => void;

/**
 * A socket that reads into one shared buffer instead of allocating for each read. During a COPY those
 * allocations would keep the garbage collector busier than all other work. Listeners get copies, which they
 * may keep; a reader gets the shared buffer itself.
 */
export class SharedBufferSocket extends Socket {
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
