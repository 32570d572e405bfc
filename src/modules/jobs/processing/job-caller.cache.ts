import type { Principal } from '../../../common/authorization/principal.types.js';

/** The maximum age in ms of the cached permissions. Rows that start later see a revocation. */
const TTL_MS = 500;

/** Looks up the job's owner with the owner's current permissions. */
export class JobCallerCache {
  private found: Promise<Principal | null> = Promise.resolve(null);
  private lookedUpAt = -Infinity;

  constructor(private readonly find: () => Promise<Principal | null>) {}

  /** Returns null when the owner may no longer act. */
  current(): Promise<Principal | null> {
    if (performance.now() - this.lookedUpAt > TTL_MS) {
      this.lookedUpAt = performance.now();
      this.found = this.find();
    }
    return this.found;
  }
}
