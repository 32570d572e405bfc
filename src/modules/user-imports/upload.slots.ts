import PQueue from 'p-queue';
import { AppError } from '../../common/errors/app.error.js';

/** The limits of {@link UploadSlots}. */
export interface UploadLimits {
  /** The maximum number of concurrent uploads. */
  readonly uploads: number;
  /** The maximum number of concurrent uploads by one account. */
  readonly uploadsOfAccount: number;
  /** The maximum number of uploads that wait for a slot. */
  readonly waiting: number;
  /** The maximum number of uploads by one account that wait for a slot. */
  readonly waitingOfAccount: number;
  /** The longest wait for a slot in ms. */
  readonly waitMs: number;
}

/** The limits of an instance. A waiting upload holds a connection and the 64 KiB of its body that Node reads ahead. */
const LIMITS: UploadLimits = {
  uploads: 4,
  uploadsOfAccount: 2,
  waiting: 100,
  waitingOfAccount: 25,
  waitMs: 5000,
};

/** The uploads of one account. */
interface Account {
  readonly queue: PQueue;
  /** The number of uploads that wait or have a slot. */
  uploads: number;
  waiting: number;
}

/**
 * Bounds the uploads to this instance. An account gets only some of the slots, so that its slow uploads leave
 * the others to everybody else.
 */
export class UploadSlots {
  private readonly slots: PQueue;
  private readonly accounts = new Map<string, Account>();
  private waiting = 0;

  constructor(private readonly limits = LIMITS) {
    this.slots = new PQueue({ concurrency: limits.uploads });
  }

  /**
   * Runs `upload` in a slot, and waits for one if none is free. Stops waiting when `abandoned` aborts, which has no
   * effect on an upload in its slot. Node.js notices a client that leaves only once it has read what the client sent,
   * so a body that fills its buffer may wait to the end.
   * @throws AppError `OVERLOADED` when the wait ends without a slot, or too many uploads wait already
   */
  async run<T>(accountId: string, abandoned: AbortSignal, upload: () => Promise<T>): Promise<T> {
    const account = this.accounts.get(accountId) ?? this.newAccount();
    const { waiting, waitingOfAccount } = this.limits;
    if (!this.hasFreeSlot(account) && (this.waiting >= waiting || account.waiting >= waitingOfAccount))
      throw noSlot();
    this.accounts.set(accountId, account);
    account.uploads++;
    const wait = this.enter(account, abandoned);
    const { signal } = wait;
    const start = () => {
      wait.end();
      return upload();
    };
    try {
      return await account.queue.add(() => this.slots.add(start, { signal }), { signal });
    } finally {
      wait.end();
      if (--account.uploads === 0) this.accounts.delete(accountId);
    }
  }

  private newAccount(): Account {
    return { queue: new PQueue({ concurrency: this.limits.uploadsOfAccount }), uploads: 0, waiting: 0 };
  }

  private hasFreeSlot({ queue }: Account): boolean {
    return queue.pending < queue.concurrency && this.slots.pending < this.slots.concurrency;
  }

  /** Counts the upload as waiting until `end`. The signal aborts when the wait is over without a slot. */
  private enter(account: Account, abandoned: AbortSignal): { signal: AbortSignal; end: () => void } {
    const controller = new AbortController();
    const leave = () => controller.abort(noSlot());
    const timer = setTimeout(leave, this.limits.waitMs);
    abandoned.addEventListener('abort', leave);
    if (abandoned.aborted) leave();
    account.waiting++;
    this.waiting++;
    let hasEnded = false;
    const end = () => {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(timer);
      abandoned.removeEventListener('abort', leave);
      account.waiting--;
      this.waiting--;
    };
    return { signal: controller.signal, end };
  }
}

const noSlot = (): AppError =>
  new AppError('OVERLOADED', { message: 'Too many files are being uploaded; try again soon' });
