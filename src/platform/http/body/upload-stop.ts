import { AppError } from '../../../common/errors/app.error.js';

/** The time that a body which began just before the stop has to arrive. */
const ARRIVAL_TIMEOUT_MS = 500;

/**
 * Refuses a body that is still arriving when the service stops, while its client has time to read the
 * response.
 */
export class UploadStop {
  private readonly began = performance.now();
  private refusal: AppError | null = null;
  private onRefusal: (refusal: AppError) => void = () => {};
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly stopping: AbortSignal) {
    if (stopping.aborted) this.onStop();
    else stopping.addEventListener('abort', this.onStop);
  }

  /**
   * Resolves as `work` does.
   * @throws AppError `OVERLOADED` when the service stops before `work` is done
   */
  raceWith<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.onRefusal = reject;
      work.then(resolve, reject);
      if (this.refusal) reject(this.refusal);
    });
  }

  /** Stops watching, because the body has arrived or was given up. */
  dispose(): void {
    this.stopping.removeEventListener('abort', this.onStop);
    clearTimeout(this.timer);
  }

  private readonly onStop = (): void => {
    const left = this.began + ARRIVAL_TIMEOUT_MS - performance.now();
    this.timer = setTimeout(() => this.refuse(), Math.max(0, left));
  };

  private refuse(): void {
    this.refusal = new AppError('OVERLOADED', { message: 'The service is stopping: send the request again' });
    this.onRefusal(this.refusal);
  }
}
