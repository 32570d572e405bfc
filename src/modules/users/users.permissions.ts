export const userPermissions = ['users:read', 'users:write', 'users:delete'] as const;
