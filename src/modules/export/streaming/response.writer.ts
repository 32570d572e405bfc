import type { Response } from 'express';

/**
 * The time in ms for a slow reader to accept the bytes in flight and the final message. The operating system
 * buffers megabytes. Shutdown has its own limit.
 */
const CLOSE_TIMEOUT_MS = 30_000;

/**
 * Writes to the client with backpressure. Uses one `drain` listener for all waits, because the compression
 * middleware moves listeners to its own stream, from which they cannot be removed.
 */
export class ResponseWriter {
  private full = false;
  private wake: () => void = () => {};

  constructor(
    private readonly response: Response,
    private readonly end: AbortSignal,
  ) {
    response.on('drain', () => {
      this.full = false;
      this.wake();
    });
    end.addEventListener('abort', () => {
      this.wake();
      // The final message is written and the reader does not accept it.
      if (response.writableEnded) this.close('');
    });
  }

  get isFull(): boolean {
    return this.full;
  }

  /**
   * Writes to the client and flushes the compression buffer. `taken` is called once the bytes are no longer
   * needed, or never.
   */
  write(text: string | Buffer, taken?: () => void): void {
    if (text.length === 0) return;
    this.full = !this.response.write(text, taken);
    (this.response as { flush?: () => void }).flush?.();
  }

  /** Waits for the reader. @returns false when the reader has not accepted everything written within `ms` */
  async isTakenWithin(ms: number): Promise<boolean> {
    if (this.full && !this.end.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.end.throwIfAborted();
    return !this.full;
  }

  /**
   * Sends the final message and cuts off a reader who does not accept it in time. Closes at once when
   * `lastWord` is null.
   */
  close(lastWord: string | null): void {
    if (lastWord === null || this.response.destroyed) {
      this.response.destroy();
      return;
    }
    this.response.end(lastWord);
    setTimeout(() => this.response.destroy(), CLOSE_TIMEOUT_MS).unref();
  }
}
