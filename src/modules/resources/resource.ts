import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';

/** Something that an account owns. What it stands for is known to whoever made it. */
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly externalId: string | null;
  readonly ownerId: string;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Whether the caller may see and hand on what others own. */
export const mayManage = (caller: Principal): boolean => caller.permissions.has('resources:transfer');

/** To others than its owner it is there only with the right. @throws AppError `NOT_FOUND` */
export function assertVisible(resource: Resource | null, caller: Principal): Resource {
  if (!resource) throw new AppError('NOT_FOUND');
  if (resource.ownerId === caller.userId || mayManage(caller)) return resource;
  throw new AppError('NOT_FOUND', { denied: true });
}
