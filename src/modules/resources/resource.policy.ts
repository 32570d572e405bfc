import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import type { Resource } from './resource.entity.js';

/** Returns true if the caller may see and transfer the resources of other users. */
export const mayManage = (caller: Principal): boolean => caller.permissions.has('resources:transfer');

/**
 * Returns the resource. Hides it from callers who neither own it nor hold `resources:transfer`.
 * @throws AppError `NOT_FOUND`
 */
export function assertVisible(resource: Resource | null, caller: Principal): Resource {
  if (!resource) throw new AppError('NOT_FOUND');
  if (resource.ownerId === caller.userId || mayManage(caller)) return resource;
  throw new AppError('NOT_FOUND', { denied: true });
}
