import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { LifecycleService } from '../../platform/lifecycle/lifecycle.service.js';
import { stoppingError } from '../../platform/lifecycle/stopping.error.js';

const RETRY_AFTER_SECONDS = '5';

/** Limits the open event streams of this instance, in all and for each user. */
@Injectable()
export class StreamPlacesService {
  private readonly ofUsers = new Map<string, number>();
  private taken = 0;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly lifecycle: LifecycleService,
  ) {}

  /**
   * Takes a place.
   * @returns a function that frees it
   * @throws AppError `OVERLOADED` when the user or the instance has none left, and while the instance stops
   */
  take(userId: string): () => void {
    const ofUser = this.ofUsers.get(userId) ?? 0;
    if (this.lifecycle.stopping.aborted) throw stoppingError();
    if (ofUser >= this.config.STREAMS_PER_USER) throw overloaded('You have too many open event streams');
    if (this.taken >= this.config.STREAMS_MAX)
      throw overloaded('This instance has too many open event streams');
    this.taken++;
    this.ofUsers.set(userId, ofUser + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.taken--;
      const left = (this.ofUsers.get(userId) ?? 1) - 1;
      if (left > 0) this.ofUsers.set(userId, left);
      else this.ofUsers.delete(userId);
    };
  }
}

const overloaded = (message: string): AppError =>
  new AppError('OVERLOADED', { message, headers: { 'Retry-After': RETRY_AFTER_SECONDS } });
