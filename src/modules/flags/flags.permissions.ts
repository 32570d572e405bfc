export const flagPermissions = ['flags:manage'] as const;
