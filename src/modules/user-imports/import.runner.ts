import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Principal } from '../../common/authorization/principal.types.js';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { SignerKeysService } from '../../platform/crypto/passwords/signer-keys.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import type { Job } from '../jobs/job-registry.service.js';
import { JobWithdrawalService } from '../jobs/job-withdrawal.service.js';
import { RolesService } from '../roles/roles.service.js';
import { type ImportedUser, ImportUsers } from '../users/commands/import-users.command.js';
import type { NumberedRow } from './import.reader.js';
import { ImportChunksRepository, type ImportChunkKey } from './import-chunks.repository.js';
import { ImportStaging } from './import-staging.service.js';

/**
 * The number of a job's chunks imported at once, each with a connection. The other connections stay free for
 * requests.
 */
const WRITERS = 2;
const PAGE = 50;
/** The time limit of one chunk in ms. PostgreSQL ends longer transactions. */
const CHUNK_TIMEOUT_MS = 20_000;

/** A line that may be imported, or the error that forbids it. */
type CheckedRow = { readonly line: number } & (
  { readonly user: ImportedUser } | { readonly error: AppError }
);

/**
 * Imports the staged lines. Creates the users of a chunk and stores their results in one unit of work, so a
 * crash leaves both or neither.
 */
@Injectable()
export class ImportRunner {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly staging: ImportStaging,
    private readonly withdrawals: JobWithdrawalService,
    private readonly roles: RolesService,
    private readonly commands: CommandBus,
    private readonly signerKeys: SignerKeysService,
    private readonly audit: AuditLog,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Imports all open chunks.
   * @throws the first error of a chunk, which stays open and is retried with the job
   */
  async perform(job: Job, signal: AbortSignal): Promise<void> {
    const open = this.openChunks(job.id);
    const broken = new AbortController();
    const over = AbortSignal.any([signal, broken.signal]);
    const work = async (): Promise<void> => {
      for (let next = await open.next(); next.done !== true && !over.aborted; next = await open.next()) {
        await this.settle(job, next.value, over);
      }
    };
    const works = Array.from({ length: WRITERS }, () =>
      work().catch((error: unknown) => {
        broken.abort();
        throw error;
      }),
    );
    const ends = await Promise.allSettled(works);
    const failure = ends.find((end) => end.status === 'rejected');
    if (failure) throw failure.reason;
  }

  private async *openChunks(jobId: string): AsyncGenerator<ImportChunkKey, void> {
    for (let after = -1; ;) {
      const page = await this.chunks.findOpen(jobId, after, PAGE);
      yield* page;
      const last = page.at(-1);
      if (!last) return;
      after = last.firstIndex;
    }
  }

  /**
   * Acts as the user who requested the job, with that user's current permissions. The audit entries name the
   * user as actor and the job as request id.
   */
  private async settle(job: Job, chunk: ImportChunkKey, signal: AbortSignal): Promise<void> {
    const rows = await this.staging.readChunk(chunk);
    if (!rows) return;
    const caller = await this.withdrawals.findCaller(job);
    const context = {
      requestId: job.id,
      traceId: null,
      origin: null,
      signal: AbortSignal.any([signal, AbortSignal.timeout(CHUNK_TIMEOUT_MS)]),
      caller: { principal: caller, rejected: false },
    };
    await requestContext.run(context, async () => {
      await this.unitOfWork.run(async () => {
        // Checks roles in the transaction that grants them. The lock keeps their permissions unchanged until
        // commit.
        if (await this.chunks.lockOpen(chunk)) await this.import(chunk, await this.checkRows(rows, caller));
      });
    });
  }

  private async import(chunk: ImportChunkKey, judged: readonly CheckedRow[]): Promise<void> {
    const users = await this.withoutSignerKeys(
      chunk.jobId,
      judged.flatMap((each) => ('user' in each ? [each.user] : [])),
    );
    const ids = (await this.commands.execute(new ImportUsers(users))).values();
    const results = judged.map((each) => {
      const id = 'user' in each ? (ids.next().value ?? null) : null;
      return { line: each.line, id, error: 'error' in each ? each.error : EMAIL_TAKEN };
    });
    if (judged.some((each) => 'error' in each && each.error.denied)) {
      const target = { type: 'job', id: chunk.jobId };
      await this.audit.record({ action: 'permission.check', target, outcome: 'denied' });
    }
    const ofFailed = <T>(value: (each: (typeof results)[number]) => T): (T | null)[] =>
      results.map((each) => (each.id === null ? value(each) : null));
    await this.chunks.settle(chunk, {
      itemIds: results.map(({ id }) => id),
      errorCodes: ofFailed(({ error }) => error.code),
      errorMessages: ofFailed(({ line, error }) => `line ${line}: ${error.message}`),
    });
  }

  /** Stores the keys that hashes carry apart from the users. */
  private async withoutSignerKeys(
    jobId: string,
    users: readonly ImportedUser[],
  ): Promise<readonly ImportedUser[]> {
    const detached = await this.signerKeys.detach(
      jobId,
      users.map(({ passwordHash }) => passwordHash),
    );
    if (detached.size === 0) return users;
    return users.map((user) => ({
      ...user,
      passwordHash: detached.get(user.passwordHash ?? '') ?? user.passwordHash,
    }));
  }

  private async checkRows(rows: readonly NumberedRow[], caller: Principal | null): Promise<CheckedRow[]> {
    const known = new Map<string, AppError | null>();
    const judged: CheckedRow[] = [];
    for (const { line, row } of rows) {
      if (typeof row === 'string') {
        judged.push({ line, error: new AppError('VALIDATION_ERROR', { message: row }) });
        continue;
      }
      const key = row.roles.join();
      let refusal = known.get(key);
      if (refusal === undefined) known.set(key, (refusal = await this.roleFault(row.roles, caller)));
      judged.push(refusal ? { line, error: refusal } : { line, user: row });
    }
    return judged;
  }

  /**
   * Returns the reason to refuse these roles, or null. The default role `user` needs no permission. The
   * others follow the rules of `PUT /api/users/{id}/roles`.
   */
  private async roleFault(roles: readonly string[], caller: Principal | null): Promise<AppError | null> {
    if (!caller?.permissions.has('users:write')) {
      const message = 'The user who requested this job no longer has the permission';
      return new AppError('FORBIDDEN', { message, denied: false });
    }
    const granted = roles.filter((role) => role !== 'user');
    if (granted.length === 0) return null;
    if (!caller.permissions.has('roles:grant'))
      return new AppError('FORBIDDEN', { message: 'roles requires the permission roles:grant' });
    try {
      await this.roles.assertGrantable(granted, caller);
      return null;
    } catch (error) {
      if (error instanceof AppError && error.status < 500) return error;
      throw error;
    }
  }
}

const EMAIL_TAKEN = new AppError('CONFLICT', { message: 'This email address is taken' });
