import type { Permission } from './permissions.js';

/** The authenticated caller of a request. */
export interface Principal {
  readonly userId: string;
  readonly sessionId: string;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
}
