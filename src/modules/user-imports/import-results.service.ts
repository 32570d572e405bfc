import { Injectable } from '@nestjs/common';
import type { ResultPage, RowResult } from '../jobs/job-registry.service.js';
import { UsersService } from '../users/users.service.js';
import { ImportChunksRepository } from './import-chunks.repository.js';
import { RejectedRows } from './rejected-rows.service.js';

/** Returns the results of imports, with the address of each row. */
@Injectable()
export class ImportResults {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly rejected: RejectedRows,
    private readonly users: UsersService,
  ) {}

  /**
   * Returns a page. The address of a row that led to a user is that user's current one, so that an erased user
   * leaves none; the others are known for a day, or until the user with that address is erased. A caller with
   * `users:write` alone gets no address of a user whom the import did not write, because such imports would follow
   * anybody's address. A caller with neither permission gets none at all.
   */
  async findPage(page: ResultPage): Promise<RowResult[]> {
    const rows = await this.chunks.findResults(page);
    const { caller } = page;
    if (!caller.permissions.has('users:read') && !caller.permissions.has('users:write')) return rows;
    const shown = caller.permissions.has('users:read')
      ? rows
      : rows.filter(({ action }) => !page.dryRun && (action === 'created' || action === 'updated'));
    const ids = shown.flatMap(({ itemId }) => itemId ?? []);
    const addresses = await this.users.findVisibleEmails(ids, caller);
    const withoutUser = rows.filter(({ itemId, status }) => itemId === null && status !== 'skipped');
    const others = await this.rejected.findEmails(page.jobId, withoutUser);
    return rows.map((row) => ({
      ...row,
      email: (row.itemId === null ? others.get(row.index) : addresses.get(row.itemId)) ?? null,
    }));
  }
}
