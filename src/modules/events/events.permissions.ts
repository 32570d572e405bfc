export const feedPermissions = ['events:read'] as const;
