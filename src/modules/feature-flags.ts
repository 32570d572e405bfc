import type { DeclaredFlag } from '../platform/feature-flags/declared-flag.js';
import { exportFlag } from './export/export.flags.js';
import { importFlag } from './user-imports/user-imports.flags.js';
import { breachedPasswordsFlag, signUpFlag } from './users/users.flags.js';
import { webhooksFlag } from './webhooks/webhooks.flags.js';

/** Every flag that the features declare, in the order of their keys. */
export const featureFlags: readonly DeclaredFlag[] = [
  breachedPasswordsFlag,
  exportFlag,
  importFlag,
  signUpFlag,
  webhooksFlag,
];
