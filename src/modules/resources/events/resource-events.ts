export const resourceEventTypes = {
  created: 'resource.created',
  deleted: 'resource.deleted',
  transferred: 'ownership.transferred',
} as const;
