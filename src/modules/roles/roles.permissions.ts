export const rolePermissions = ['roles:grant'] as const;
