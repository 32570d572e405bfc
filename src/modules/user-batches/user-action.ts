import type { BulkAction } from '../jobs/job-kinds.service.js';

export const userActionNames = [
  'enable',
  'disable',
  'delete',
  'restore',
  'grant_role',
  'revoke_role',
  'revoke_sessions',
] as const;
export type UserActionName = (typeof userActionNames)[number];

/** Something that can be done to many accounts by one request. */
export interface UserAction extends BulkAction {
  readonly name: UserActionName;
  readonly type: `users.${UserActionName}`;
  readonly takesRole: boolean;
}

/** All of them. */
export const USER_ACTIONS = Symbol('the actions on many accounts');
