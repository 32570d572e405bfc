export const operationPermissions = ['operations:manage'] as const;
