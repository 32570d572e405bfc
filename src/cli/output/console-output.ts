import { Presets, SingleBar } from 'cli-progress';

const REPORT_INTERVAL_MS = 5000;

/**
 * Shows progress on standard error, so that rows can be piped: a bar on a terminal, otherwise a line from
 * time to time.
 */
export class ProgressReporter {
  private readonly bar: SingleBar | null;
  private reportedAt = performance.now();

  constructor(
    private readonly what: string,
    total: number,
  ) {
    this.bar = process.stderr.isTTY
      ? new SingleBar(
          { format: `{bar} {percentage}% | {value} of {total} ${what}`, etaBuffer: 100 },
          Presets.shades_classic,
        )
      : null;
    this.bar?.start(total, 0);
  }

  update(done: number, total?: number): void {
    if (this.bar) {
      // The estimate may be too small.
      this.bar.setTotal(Math.max(total ?? this.bar.getTotal(), done));
      this.bar.update(done);
    } else if (performance.now() - this.reportedAt >= REPORT_INTERVAL_MS) {
      this.reportedAt = performance.now();
      printStatus(`${done} ${this.what}`);
    }
  }

  end(): void {
    this.bar?.stop();
  }
}

/** Prints a message for the user on standard error. Results go to `printResult`. */
export const printStatus = (line: string): void => void process.stderr.write(`${line}\n`);

export const printResult = (line: string): void => void process.stdout.write(`${line}\n`);
