export const rolePermissions = ['roles:grant'] as const;

/** Permissions that the shipped roles contain and that no route requires yet. */
export const reservedPermissions = ['webhooks:manage'] as const;
