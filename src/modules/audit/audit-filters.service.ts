import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { assertTimeRange } from '../../common/validation/time.decorator.js';
import { AuditIpUsers, type IpSearch } from '../../platform/audit-log/audit-ip-users.service.js';
import { UsersService } from '../users/users.service.js';
import type { ResolvedFilters } from './audit-filters.types.js';
import type { AuditFilterQuery } from './dto/list-audit.dto.js';

/**
 * The maximum number of users whose entries a search by IP address reads. Each user costs an index lookup of a few
 * microseconds per month.
 */
const MAX_USERS_OF_IP = 10_000;

/**
 * Turns the filters of a query into what the audit log stores: ids in place of an email address, and digests in place
 * of an IP address.
 */
@Injectable()
export class AuditFiltersService {
  constructor(
    private readonly users: UsersService,
    private readonly ipUsers: AuditIpUsers,
  ) {}

  /** @throws AppError `VALIDATION_ERROR`, `FORBIDDEN` for `email` from a caller who may not read users */
  async resolve(query: AuditFilterQuery, caller: Principal): Promise<ResolvedFilters> {
    assertTimeRange(query);
    const { actor_id, target_id, email, ip, action, outcome, from, to } = query;
    const userId = email === undefined ? undefined : await this.findUser(email, caller);
    const ipDigests =
      ip === undefined ? undefined : await this.findDigests({ ip, userId: actor_id, from, to });
    return {
      filters: {
        actorId: actor_id,
        targetId: target_id,
        userId,
        actions: action,
        ipDigests,
        outcome,
        from,
        to,
      },
      scope: {
        actor_id,
        target_id,
        // The id and not the address, because the address may belong to another user by the next page.
        user_id: userId === null ? 'none' : userId,
        ip,
        action: action?.toSorted().join(),
        outcome,
        from,
        to,
      },
    };
  }

  private async findUser(email: string, caller: Principal): Promise<string | null> {
    if (!caller.permissions.has('users:read')) {
      throw new AppError('FORBIDDEN', { message: 'email requires the permission users:read' });
    }
    return this.users.findVisibleId(email, caller);
  }

  private async findDigests(search: IpSearch): Promise<Buffer[]> {
    const found = await this.ipUsers.findDigests(search, MAX_USERS_OF_IP + 1);
    if (found.length <= MAX_USERS_OF_IP) return found;
    const limit = MAX_USERS_OF_IP.toLocaleString('en');
    throw AppError.invalid(
      'ip',
      `more than ${limit} users used this ip: give actor_id, or from and to, as well`,
    );
  }
}
