import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { assertTimeKey, decodeCursor, encodeCursor, type PageKey } from '../../common/pagination/cursor.js';
import { type Page, toPage } from '../../common/pagination/page.js';
import { assertOffsetOrCursor, DEFAULT_LIMIT } from '../../common/pagination/page-query.dto.js';
import type { ListResourcesDto } from './dto/list-resources.dto.js';
import type { Resource } from './resource.entity.js';
import { assertVisible, mayManage } from './resource.policy.js';
import { ResourcesRepository } from './resources.repository.js';

/** Answers queries about resources. Commands make the changes. */
@Injectable()
export class ResourcesService {
  constructor(private readonly repository: ResourcesRepository) {}

  /** Lists resources, oldest first. */
  async list(query: ListResourcesDto, caller: Principal): Promise<Page<Resource>> {
    assertOffsetOrCursor(query);
    const ownerId = ownerOf(query, caller);
    const { limit = DEFAULT_LIMIT, offset = 0 } = query;
    const scope = { list: 'resources', owner: ownerId ?? undefined };
    const after = query.cursor === undefined ? null : decodeCursor(query.cursor, scope);
    if (after) assertTimeKey(after.key);
    const rows = await this.repository.findPage({ ownerId, limit: limit + 1, offset, after });
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: last.createdAt.toISOString(), id: last.id }, scope),
      (kind) => (kind === 'exact' ? this.repository.count(ownerId) : this.repository.estimate(ownerId)),
    );
  }

  /** Returns the user's resources, oldest first. */
  findOwned(ownerId: string, after: PageKey | null, limit: number): Promise<Resource[]> {
    return this.repository.findPage({ ownerId, limit, offset: 0, after });
  }

  /** Returns the resource if the caller may see it. @throws AppError `NOT_FOUND` */
  async get(id: string, caller: Principal): Promise<Resource> {
    return assertVisible(await this.repository.findById(id), caller);
  }
}

/** Returns the owner to list, or null for the resources of all users. @throws AppError `FORBIDDEN` */
function ownerOf({ owner_id: ownerId }: ListResourcesDto, caller: Principal): string | null {
  if (mayManage(caller)) return ownerId ?? null;
  if (ownerId !== undefined && ownerId !== caller.userId) throw new AppError('FORBIDDEN');
  return caller.userId;
}
