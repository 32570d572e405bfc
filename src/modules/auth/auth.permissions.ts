export const authPermissions = ['sessions:revoke'] as const;
