import type { Principal } from '../../common/authorization/principal.js';

/** Rights that were taken act on the rows that begin this long after it. */
const LOOKED_UP_EVERY_MS = 500;

/** As whom a job is done: the account that asked for it, with the rights that it has now. */
export class JobCaller {
  private found: Promise<Principal | null> = Promise.resolve(null);
  private lookedUpAt = -Infinity;

  constructor(private readonly find: () => Promise<Principal | null>) {}

  /** Null when the account may not do anything any more. */
  now(): Promise<Principal | null> {
    if (performance.now() - this.lookedUpAt > LOOKED_UP_EVERY_MS) {
      this.lookedUpAt = performance.now();
      this.found = this.find();
    }
    return this.found;
  }
}
