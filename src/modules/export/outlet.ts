import type { Response } from 'express';

/**
 * For a slow reader to take what was sent before the last word, and then the last word itself: the system buffers
 * megabytes. A stop of the service has a bound of its own.
 */
const LAST_WORD_MS = 30_000;

/**
 * The way to the reader. One listener for all waiting: the compression, where there is one, hands listeners to
 * a stream of its own, from which they cannot be taken away again.
 */
export class Outlet {
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
      // All has been said, and the reader does not take it.
      if (response.writableEnded) this.close('');
    });
  }

  get isFull(): boolean {
    return this.full;
  }

  /** Through the compression too, whatever it still holds. `taken`: the bytes are not needed any more (it may never say so). */
  write(text: string | Buffer, taken?: () => void): void {
    if (text.length === 0) return;
    this.full = !this.response.write(text, taken);
    (this.response as { flush?: () => void }).flush?.();
  }

  /** @returns false when the reader has not taken what was written within so many milliseconds */
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

  /** Cuts off a reader who does not take the last word in time. Null: there is no way to say anything. */
  close(lastWord: string | null): void {
    if (lastWord === null || this.response.destroyed) {
      this.response.destroy();
      return;
    }
    this.response.end(lastWord);
    setTimeout(() => this.response.destroy(), LAST_WORD_MS).unref();
  }
}
