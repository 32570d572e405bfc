/** All permissions. A role is a named set of permissions. */
export const permissions = [
  'users:read',
  'users:write',
  'users:delete',
  'roles:grant',
  'sessions:revoke',
  'audit:read',
  'events:read',
  'export:run',
  'resources:transfer',
  'webhooks:manage',
  'flags:manage',
  'jobs:manage',
] as const;

export type Permission = (typeof permissions)[number];
