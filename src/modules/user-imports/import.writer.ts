import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Principal } from '../../common/authorization/principal.types.js';
import { findCanonicalEmail } from '../../common/email-address.js';
import { AppError } from '../../common/errors/app.error.js';
import { ownerLacksPermission } from '../jobs/job-attempts.service.js';
import type { RowAction } from '../jobs/job-registry.service.js';
import { RolesService } from '../roles/roles.service.js';
import { DEFAULT_ROLES, type ImportedUser, ImportUsers } from '../users/commands/import-users.command.js';
import { MergeImportedUsers, type MergeResult } from '../users/commands/merge-imported-users.command.js';
import { UsersService } from '../users/users.service.js';
import type { ConflictPolicy } from './import-options.js';
import type { StagedRow } from './import-staging.service.js';

/** The result of a row. Exactly one of `action` and `error` is set. */
export interface ImportedRow extends Pick<StagedRow, 'line' | 'email' | 'bytes'> {
  readonly id: string | null;
  readonly action: RowAction | null;
  readonly error: AppError | null;
  /** The user with the address of a failed row; null when nobody has it. */
  readonly holderId: string | null;
}

/** A row before anything is written: its user if it is valid, and the error that forbids creating that user. */
interface CheckedRow {
  readonly user: ImportedUser | null;
  readonly error: AppError | null;
}

/** Writes the rows of one chunk, in the unit of work that also stores their results. */
@Injectable()
export class ImportWriter {
  constructor(
    private readonly roles: RolesService,
    private readonly users: UsersService,
    private readonly commands: CommandBus,
  ) {}

  /**
   * Creates the users of the rows, and handles those that exist by `policy`. Acts as `caller`; null stands for
   * an owner who may no longer act.
   */
  async write(
    rows: readonly StagedRow[],
    caller: Principal | null,
    policy: ConflictPolicy,
  ): Promise<ImportedRow[]> {
    const checked = await this.check(rows, caller);
    const created = await this.create(checked);
    const merged = await this.merge(checked, created, { caller, policy });
    const written = rows.map(({ line, email, bytes }, place): Omit<ImportedRow, 'holderId'> => {
      const id = created.get(place);
      if (id !== undefined) return { line, email, bytes, id, action: 'created', error: null };
      const result = merged(place);
      if ('error' in result) return { line, email, bytes, id: null, action: null, error: result.error };
      return { line, email, bytes, ...result, error: null };
    });
    return this.withHolders(written);
  }

  private async withHolders(rows: readonly Omit<ImportedRow, 'holderId'>[]): Promise<ImportedRow[]> {
    const keys = rows.map(({ error, email }) => (error && email !== null ? findCanonicalEmail(email) : null));
    const holders = await this.users.findIdsByEmails([...new Set(keys.filter((key) => key !== null))]);
    return rows.map((row, place) => ({ ...row, holderId: holders.get(keys[place] ?? '') ?? null }));
  }

  /** Creates the users that may be created. @returns their ids by place, without those whose address is taken */
  private async create(checked: readonly CheckedRow[]): Promise<Map<number, string>> {
    const wanted = [...checked.entries()].flatMap(([place, { user, error }]) =>
      user && !error ? [{ place, user }] : [],
    );
    const ids = await this.commands.execute(new ImportUsers(wanted.map(({ user }) => user)));
    return new Map(
      wanted.flatMap(({ place }, index) => {
        const id = ids[index] ?? null;
        return id === null ? [] : [[place, id] as const];
      }),
    );
  }

  /** Handles the rows that created no user. @returns the result of each, by place */
  private async merge(
    checked: readonly CheckedRow[],
    created: ReadonlyMap<number, string>,
    { caller, policy }: { readonly caller: Principal | null; readonly policy: ConflictPolicy },
  ): Promise<(place: number) => MergeResult> {
    const left = [...checked.entries()].flatMap(([place, { user }]) =>
      user && !created.has(place) ? [{ place, user }] : [],
    );
    const results =
      caller === null || policy === 'fail' || left.length === 0
        ? []
        : await this.commands.execute(
            new MergeImportedUsers(
              left.map(({ user }) => user),
              policy,
              caller,
            ),
          );
    const byPlace = new Map(left.map(({ place }, index) => [place, results[index] ?? null]));
    return (place) => byPlace.get(place) ?? { error: checked[place]?.error ?? EMAIL_TAKEN };
  }

  private async check(rows: readonly StagedRow[], caller: Principal | null): Promise<CheckedRow[]> {
    const known = new Map<string, AppError | null>();
    const checked: CheckedRow[] = [];
    for (const { row } of rows) {
      if (typeof row === 'string') {
        checked.push({ user: null, error: new AppError('VALIDATION_ERROR', { message: row }) });
        continue;
      }
      if (!caller?.permissions.has('users:write')) {
        checked.push({ user: null, error: ownerLacksPermission() });
        continue;
      }
      const roles = row.roles ?? DEFAULT_ROLES;
      const key = roles.join();
      let error = known.get(key);
      if (error === undefined) known.set(key, (error = await this.findRoleFault(roles, caller)));
      checked.push({ user: row, error });
    }
    return checked;
  }

  /** Returns the reason to refuse these roles, or null. The rules are those of `POST /api/users`. */
  private async findRoleFault(roles: readonly string[], caller: Principal): Promise<AppError | null> {
    try {
      await this.roles.assertGrantableToNewUser(roles, caller);
      return null;
    } catch (error) {
      if (error instanceof AppError && error.status < 500) return error;
      throw error;
    }
  }
}

const EMAIL_TAKEN = new AppError('CONFLICT', { message: 'This email address is taken' });
