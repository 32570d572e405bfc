import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Type } from '@nestjs/common';
import type { Logger } from 'typeorm';
import { AuditEntriesRepository } from '../../../src/modules/audit/audit-entries.repository.js';
import { AuditKeysRepository } from '../../../src/modules/audit/sealing/audit-keys.repository.js';
import { RetentionsRepository } from '../../../src/modules/audit/retention/retentions.repository.js';
import { SealsRepository } from '../../../src/modules/audit/sealing/seals.repository.js';
import { OneTimeTokensRepository } from '../../../src/modules/auth/recovery/one-time-tokens.repository.js';
import { SessionsRepository } from '../../../src/modules/auth/sessions/sessions.repository.js';
import { JobRowsRepository } from '../../../src/modules/jobs/storage/job-rows.repository.js';
import { JobsRepository } from '../../../src/modules/jobs/storage/jobs.repository.js';
import { ResourcesRepository } from '../../../src/modules/resources/resources.repository.js';
import { RolesRepository } from '../../../src/modules/roles/roles.repository.js';
import { ImportChunksRepository } from '../../../src/modules/user-imports/import-chunks.repository.js';
import type { HoldingClient } from '../../../src/platform/database/driver/statements/held-statements.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { IdempotencyRepository } from '../../../src/platform/idempotency/idempotency.repository.js';
import { stopSealing } from '../../support/builders/audit.js';
import { TestApp } from '../../support/app/test-app.js';

const ID = randomUUID();
const PIECE = { jobId: ID, firstIndex: 0 };
const PAGE = { ownerId: ID, limit: 2, offset: 1, after: { key: '2026-01-01T00:00:00.000Z', id: ID } };
const RESULTS = {
  itemIds: [ID, null],
  lineNumbers: [1, 2],
  actions: ['updated', null],
  errorCodes: [null, 'CONFLICT'],
  errorMessages: [null, 'taken'],
  rejected: Buffer.alloc(1),
};
const TOKEN = { purpose: 'verify-email', userId: ID, email: 'a@example.com' } as const;
const JOB = {
  id: ID,
  type: 'none',
  total: null,
  ownerId: ID,
  sessionId: ID,
  dryRun: false,
  parameters: { a: 1 },
};

type Call = readonly [name: string, table: string, call: (get: <T>(type: Type<T>) => T) => Promise<unknown>];

const calls: readonly Call[] = [
  ['a job is inserted', 'jobs', (get) => get(JobsRepository).insert(JOB)],
  ['a job is read', 'jobs', (get) => get(JobsRepository).findById(ID)],
  ['a job is locked', 'jobs', (get) => get(JobsRepository).findByIdForUpdate(ID)],
  ['jobs are counted', 'jobs', (get) => get(JobsRepository).count(null)],
  ['a job is asked for its withdrawal', 'jobs', (get) => get(JobsRepository).isWithdrawn(ID)],
  ['a job ends', 'jobs', (get) => get(JobsRepository).end(ID, 'succeeded', { done: 0, failed: 0, open: 0 })],
  ['open rows are skipped', 'job_rows', (get) => get(JobRowsRepository).skipOpen(ID)],
  ['results are counted', 'job_rows', (get) => get(JobRowsRepository).countSettled(ID, null)],
  ['a chunk is read', 'import_pieces', (get) => get(ImportChunksRepository).findEncryptedLines(PIECE)],
  ['a chunk is settled', 'import_pieces', (get) => get(ImportChunksRepository).settle(PIECE, RESULTS)],
  ['open chunks are skipped', 'import_pieces', (get) => get(ImportChunksRepository).skipOpen(ID)],
  ['chunks are deleted', 'import_pieces', (get) => get(ImportChunksRepository).delete(ID)],
  ['a resource is read', 'resources', (get) => get(ResourcesRepository).findById(ID)],
  ['a resource is locked', 'resources', (get) => get(ResourcesRepository).findByIdForUpdate(ID)],
  ['resources are counted', 'resources', (get) => get(ResourcesRepository).count(ID)],
  ['resources are listed', 'resources', (get) => get(ResourcesRepository).findPage(PAGE)],
  ['jobs are listed', 'jobs', (get) => get(JobsRepository).findPage(PAGE)],
  ['a seal is found by time', 'audit_seals', (get) => get(SealsRepository).findNumberFrom(new Date(0))],
  ['a resource is deleted', 'resources', (get) => get(ResourcesRepository).deleteById(ID)],
  ['a role is inserted', 'roles', (get) => get(RolesRepository).insert('tester')],
  ['a session is ended', 'sessions', (get) => get(SessionsRepository).deleteOfUser(ID, ID)],
  ['tokens are expired', 'one_time_tokens', (get) => get(OneTimeTokensRepository).expireOfUser(ID)],
  ['tokens are listed', 'one_time_tokens', (get) => get(OneTimeTokensRepository).findOfUser(ID)],
  ['tokens are deleted', 'one_time_tokens', (get) => get(OneTimeTokensRepository).deleteOfUser(ID)],
  [
    'a claim is released',
    'idempotency_claims',
    (get) => get(IdempotencyRepository).release(Buffer.alloc(8), ID),
  ],
  ['an audit entry is read', 'audit_entries', (get) => get(AuditEntriesRepository).findById(ID)],
  ['audit keys are read', 'audit_keys', (get) => get(AuditKeysRepository).findAll()],
  ['retentions are read', 'audit_retentions', (get) => get(RetentionsRepository).findAll()],
  [
    'seals are listed',
    'audit_seals',
    (get) => get(SealsRepository).findPage({ below: 9, limit: 2, offset: 1 }),
  ],
  ['seals are counted', 'audit_seals', (get) => get(SealsRepository).count()],
  ['a seal is read', 'audit_seals', (get) => get(SealsRepository).findByNumber(1)],
];

describe('one statement is sent when', () => {
  let app: TestApp;
  let sent: string[] = [];
  beforeAll(async () => {
    app = await TestApp.create();
    await stopSealing(app);
    const logger: Partial<Logger> = {
      logQuery: (statement) => void sent.push(statement),
      logQueryError() {},
    };
    app.dataSource.logger = logger as Logger;
  });
  afterAll(() => app.close());

  it.each(calls)('%s', async (_, table, call) => {
    sent = [];
    const unitOfWork = app.nest.get(UnitOfWork);
    await unitOfWork.run(async () => {
      // TypeORM does not log a statement that is held for the next one.
      const client = (await unitOfWork.manager.queryRunner?.connect()) as HoldingClient;
      const hold = jest.spyOn(client, 'hold');
      await call((type) => app.nest.get(type));
      sent.push(...hold.mock.calls.map(([{ text }]) => text));
      hold.mockRestore();
    });
    expect(sent.filter((statement) => new RegExp(`\\b${table}\\b`).test(statement))).toHaveLength(1);
  });

  it('tokens of a purpose are replaced, besides the lock and the insert', async () => {
    const { id: userId } = app.admin;
    sent = [];
    const issue = () =>
      app.nest.get(OneTimeTokensRepository).issue({ ...TOKEN, userId, purpose: 'change-email' });
    await app.nest.get(UnitOfWork).run(issue);
    const statements = sent.filter((statement) => /\bone_time_tokens\b/.test(statement));
    expect(statements.map((statement) => /\w+/.exec(statement)?.[0])).toEqual(['INSERT', 'UPDATE']);
  });
});
