export const resourcePermissions = ['resources:transfer'] as const;
