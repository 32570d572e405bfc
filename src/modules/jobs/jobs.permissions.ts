export const jobPermissions = ['jobs:manage'] as const;
