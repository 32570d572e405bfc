import { Injectable } from '@nestjs/common';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { SignerKeysService } from '../../platform/crypto/passwords/signer-keys.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { JobAttemptsService } from '../jobs/job-attempts.service.js';
import type { Job } from '../jobs/job-registry.service.js';
import { JobWithdrawalService } from '../jobs/job-withdrawal.service.js';
import { UsersService } from '../users/users.service.js';
import { ImportChunksRepository, type ImportChunkKey } from './import-chunks.repository.js';
import { parametersOf } from './import-options.js';
import { ImportStaging, type StagedRow } from './import-staging.service.js';
import { type ImportedRow, ImportWriter } from './import.writer.js';
import { RejectedRows } from './rejected-rows.service.js';

/**
 * The number of a job's chunks imported at once, each with a connection. The other connections stay free for
 * requests.
 */
const WRITERS = 2;
const PAGE = 50;
/** The number of rows from which an import makes estimates of totals wrong, also among many users. */
const MANY_ROWS = 1000;

/**
 * Imports the staged lines. Writes the users of a chunk and stores their results in one unit of work, so a
 * crash leaves both or neither.
 */
@Injectable()
export class ImportRunner {
  constructor(
    private readonly chunks: ImportChunksRepository,
    private readonly staging: ImportStaging,
    private readonly writer: ImportWriter,
    private readonly rejected: RejectedRows,
    private readonly attempts: JobAttemptsService,
    private readonly withdrawals: JobWithdrawalService,
    private readonly signerKeys: SignerKeysService,
    private readonly users: UsersService,
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
    if (!job.dryRun && (job.total ?? 0) >= MANY_ROWS) await this.users.refreshStatistics();
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

  /** Acts as the user who requested the job, with that user's current permissions. */
  private async settle(job: Job, chunk: ImportChunkKey, signal: AbortSignal): Promise<void> {
    const parameters = parametersOf(job);
    const rows = await this.staging.readChunk(chunk, parameters?.form ?? null);
    if (!rows) return;
    const caller = await this.withdrawals.findCaller(job);
    // Checks roles in the transaction that grants them. The lock keeps their permissions unchanged until
    // commit.
    const write = async () =>
      this.writer.write(
        await this.withoutSignerKeys(job.id, rows),
        caller,
        parameters?.on_conflict ?? 'fail',
      );
    await this.attempts.runAsOwner(job, caller, signal, async () => {
      const rehearsed = job.dryRun ? await this.rehearse(write) : null;
      await this.unitOfWork.run(async () => {
        if (await this.chunks.lockOpen(chunk)) await this.record(chunk, rehearsed ?? (await write()));
      });
    });
  }

  /** Writes the rows and rolls them back, for a dry run. Created users have no id, because they do not exist. */
  private async rehearse(write: () => Promise<ImportedRow[]>): Promise<ImportedRow[]> {
    const rows = await this.attempts.dryRun(write);
    return rows.map((row) => (row.action === 'created' ? { ...row, id: null } : row));
  }

  /** Stores the keys that hashes carry apart from the users. */
  private async withoutSignerKeys(jobId: string, rows: readonly StagedRow[]): Promise<readonly StagedRow[]> {
    const hashes = rows.map(({ row }) => (typeof row === 'string' ? null : row.passwordHash));
    const detached = await this.signerKeys.detach(jobId, hashes);
    if (detached.size === 0) return rows;
    return rows.map((each) => {
      if (typeof each.row === 'string') return each;
      const passwordHash = detached.get(each.row.passwordHash ?? '') ?? each.row.passwordHash;
      return { ...each, row: { ...each.row, passwordHash } };
    });
  }

  /** Stores the results. A denied permission leaves an audit entry, as in a single request. */
  private async record(chunk: ImportChunkKey, rows: readonly ImportedRow[]): Promise<void> {
    if (rows.some(({ error }) => error?.denied)) {
      const target = { type: 'job', id: chunk.jobId };
      await this.audit.record({ action: 'permission.check', target, outcome: 'denied' });
    }
    await this.chunks.settle(chunk, {
      itemIds: rows.map(({ id }) => id),
      lineNumbers: rows.map(({ line }) => line),
      actions: rows.map(({ action }) => action),
      errorCodes: rows.map(({ error }) => error?.code ?? null),
      errorMessages: rows.map(({ line, error }) => error && `line ${line}: ${error.message}`),
      rejected: this.rejected.encrypt(chunk, rows),
    });
  }
}
