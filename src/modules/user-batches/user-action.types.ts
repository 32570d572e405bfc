import type { BulkAction } from '../jobs/job-registry.service.js';

export const userActionNames = [
  'enable',
  'disable',
  'delete',
  'restore',
  'grant_role',
  'revoke_role',
  'revoke_sessions',
  'send_reset',
] as const;
export type UserActionName = (typeof userActionNames)[number];

/** An action that one request can perform on many users. */
export interface UserAction extends BulkAction {
  readonly name: UserActionName;
  readonly type: `users.${UserActionName}`;
  readonly takesRole: boolean;
}

/** The injection token of the list of all actions. */
export const USER_ACTIONS = Symbol('bulk user actions');
