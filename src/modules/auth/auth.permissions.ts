export const authPermissions = ['sessions:revoke', 'tokens:introspect'] as const;
