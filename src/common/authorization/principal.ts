import type { Permission } from './permissions.js';

/** What a request needs to know of its caller. */
export interface Principal {
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
}
