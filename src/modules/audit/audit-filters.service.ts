import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { assertTimeRange } from '../../common/validation/time.decorator.js';
import { UsersService } from '../users/users.service.js';
import type { ResolvedFilters } from './audit-filters.types.js';
import type { AuditFilterQuery } from './dto/list-audit.dto.js';

/** Turns the filters of a query into what the audit log stores: ids in place of an email address. */
@Injectable()
export class AuditFiltersService {
  constructor(private readonly users: UsersService) {}

  /** @throws AppError `VALIDATION_ERROR`, `FORBIDDEN` for `email` from a caller who may not read users */
  async resolve(query: AuditFilterQuery, caller: Principal): Promise<ResolvedFilters> {
    assertTimeRange(query);
    const { actor_id, target_id, email, action, outcome, from, to } = query;
    const userId = email === undefined ? undefined : await this.findUser(email, caller);
    return {
      filters: { actorId: actor_id, targetId: target_id, userId, actions: action, outcome, from, to },
      scope: {
        actor_id,
        target_id,
        // The id and not the address, so that a cursor does not continue with the entries of somebody else.
        user_id: userId === null ? 'none' : userId,
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
}
