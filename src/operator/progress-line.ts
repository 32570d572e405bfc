const EVERY_MS = 500;
const MEGABYTE = 1e6;

/** A line on a terminal that says how far the work is. Writes nothing where no person watches. */
export class ProgressLine {
  private shownAt = -Infinity;
  private shown = false;

  /** Shows the text at most twice a second. */
  show(text: () => string): void {
    if (!process.stderr.isTTY || performance.now() - this.shownAt < EVERY_MS) return;
    this.shownAt = performance.now();
    this.shown = true;
    process.stderr.write(`\r\u001B[K${text()}`);
  }

  /** Removes the line. */
  end(): void {
    if (this.shown) process.stderr.write('\r\u001B[K');
    this.shown = false;
    this.shownAt = -Infinity;
  }
}

export const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(1)} MB`;
