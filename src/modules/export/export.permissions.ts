export const exportPermissions = ['export:run'] as const;
