import { Injectable } from '@nestjs/common';
import { ExportedUsersRepository, type UserExportFilters } from './exported-users.repository.js';
import type { RowBatch, RowSource, Selection } from './row-source.types.js';
import { type UserField, UserBatch } from './user-columns.js';

const MAX_ROWS = 10_000;

/** Reads users as of a snapshot. */
@Injectable()
export class UsersSource {
  constructor(private readonly repository: ExportedUsersRepository) {}

  select({ moment, filters, fields, encoding }: Selection<UserExportFilters>): RowSource {
    return {
      maxRows: MAX_ROWS,
      read: async (after: string, rows: number): Promise<RowBatch> => {
        const bound = await this.repository.findBound(after, rows);
        const copied = await this.repository.copy(moment, { filters, fields }, { after, bound }, rows);
        return new UserBatch(copied, bound, fields as UserField[], encoding);
      },
    };
  }

  estimate(filters: UserExportFilters): Promise<number> {
    return this.repository.estimate(filters);
  }
}
