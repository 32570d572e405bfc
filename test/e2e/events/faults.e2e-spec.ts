import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CommandBus, type ICommand } from '@nestjs/cqrs';
import pg from 'pg';
import type { Principal } from '../../../src/common/authorization/principal.types.js';
import { permissions } from '../../../src/modules/permissions.js';
import { requestContext } from '../../../src/common/context/request-context.js';
import { Preconditions } from '../../../src/common/http/preconditions/preconditions.decorator.js';
import { newId } from '../../../src/common/ids.js';
import { ChangePassword } from '../../../src/modules/auth/commands/change-password.command.js';
import { EndSession } from '../../../src/modules/auth/commands/end-session.command.js';
import { EndSessions } from '../../../src/modules/auth/commands/end-sessions.command.js';
import { RefreshSession } from '../../../src/modules/auth/commands/refresh-session.command.js';
import { SendPasswordMail } from '../../../src/modules/auth/commands/send-password-mail.command.js';
import { SignIn } from '../../../src/modules/auth/commands/sign-in.command.js';
import { SignOutUser } from '../../../src/modules/auth/commands/sign-out-user.command.js';
import { SessionsService, type StartedSession } from '../../../src/modules/auth/sessions/sessions.service.js';
import { TokensService } from '../../../src/modules/auth/sessions/tokens.service.js';
import { CancelJob } from '../../../src/modules/jobs/commands/cancel-job.command.js';
import { CreateBulkJob } from '../../../src/modules/jobs/commands/create-bulk-job.command.js';
import type { Job } from '../../../src/modules/jobs/job-registry.service.js';
import { SetFlag } from '../../../src/modules/flags/commands/set-flag.command.js';
import { webhooksFlag } from '../../../src/modules/webhooks/webhooks.flags.js';
import { CreateResource } from '../../../src/modules/resources/commands/create-resource.command.js';
import { DeleteResource } from '../../../src/modules/resources/commands/delete-resource.command.js';
import { TransferResources } from '../../../src/modules/resources/commands/transfer-resources.command.js';
import { ChangeEmail } from '../../../src/modules/users/commands/change-email.command.js';
import { CreateFirstAdministrator } from '../../../src/modules/users/commands/create-first-administrator.command.js';
import { CreateUser } from '../../../src/modules/users/commands/create-user.command.js';
import { DeleteUser } from '../../../src/modules/users/commands/delete-user.command.js';
import { EraseUser } from '../../../src/modules/users/commands/erase-user.command.js';
import { MergeImportedUsers } from '../../../src/modules/users/commands/merge-imported-users.command.js';
import { type ImportedUser, ImportUsers } from '../../../src/modules/users/commands/import-users.command.js';
import { RecoverAdministrator } from '../../../src/modules/users/commands/recover-administrator.command.js';
import { ReplacePassword } from '../../../src/modules/users/commands/replace-password.command.js';
import { RestoreUser } from '../../../src/modules/users/commands/restore-user.command.js';
import { SetEmail } from '../../../src/modules/users/commands/set-email.command.js';
import { SetRoles } from '../../../src/modules/users/commands/set-roles.command.js';
import { UpdateUser } from '../../../src/modules/users/commands/update-user.command.js';
import { VerifyEmail } from '../../../src/modules/users/commands/verify-email.command.js';
import { UsersService } from '../../../src/modules/users/users.service.js';
import { SendTestEvent } from '../../../src/modules/webhooks/commands/send-test-event.command.js';
import { UpdateWebhook } from '../../../src/modules/webhooks/commands/update-webhook.command.js';
import { WebhooksService } from '../../../src/modules/webhooks/webhooks.service.js';
import { isRead } from '../../../src/platform/database/driver/statements/statement.js';
import { AllRows } from '../../support/database/all-rows.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { type BrokenStatement, ConnectionFaults } from '../../support/faults/connection-faults.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';

/** The metadata key with which nestjs/cqrs marks a command handler. */
const HANDLES = '__commandHandler__';
/** Attempts are counted in separate transactions and remain after a rollback (ARCHITECTURE, "counters"). */
const APART = ['sign_in_failures', 'sign_in_attempts'];
const CLIENT = { userAgent: 'tests', ip: '127.0.0.1' };
const OTHER_PASSWORD = 'another horse battery';

let app: TestApp;
let faults: ConnectionFaults;
let superuser: pg.Client;
let rows: AllRows;
let caller: Principal;
beforeAll(async () => {
  app = await TestApp.create();
  // Stops background writers, so that none changes a row or removes a task that should not exist.
  await stopBackgroundWork(app);
  superuser = new pg.Client({ connectionString: app.database.url });
  await superuser.connect();
  faults = new ConnectionFaults(app, superuser);
  rows = await AllRows.of(superuser, APART);
  // The session of a user who creates a job must be active.
  caller = principalOf(app.admin, (await startSession(app.admin)).sessionId);
  // Creates what is created only once, such as the task that all erasures share.
  await execute(await transfer());
  await execute(new EraseUser(await deleted(), caller));
});
afterAll(async () => {
  await superuser?.end();
  await app?.close();
});

const principalOf = ({ id }: TestUser, sessionId: string): Principal => ({
  userId: id,
  sessionId,
  roles: ['admin'],
  permissions: new Set(permissions),
});
const execute = <T>(command: ICommand): Promise<T> =>
  requestContext.run(
    {
      requestId: newId(),
      trace: null,
      origin: { ip: '127.0.0.1', userAgent: 'tests' },
      signal: new AbortController().signal,
      caller: { principal: caller, refusal: null },
    },
    () => app.nest.get(CommandBus).execute<ICommand, T>(command),
  );
const userOf = ({ id }: TestUser) => app.nest.get(UsersService).getWithPassword(id);
async function startSession(user: TestUser): Promise<StartedSession> {
  const session = await app.nest.get(SessionsService).start(await userOf(user), CLIENT);
  if (!session) throw new Error('no session was started');
  return session;
}
const makeResource = (owner: TestUser): Promise<{ id: string }> =>
  execute(new CreateResource({ type: 'project', name: 'Engine' }, principalOf(owner, newId())));
async function transfer(): Promise<TransferResources> {
  const [{ id }, to] = [await makeResource(app.admin), await app.createUser()];
  return new TransferResources({ to_user_id: to.id, resource_ids: [id] }, caller);
}
/** Makes a webhook for none of the events that the commands store. */
const makeWebhook = () =>
  app.nest
    .get(WebhooksService)
    .create({ url: 'https://receiver.example/hooks', types: ['session.reuse_detected'] });
const createJob = (): CreateBulkJob => {
  const input = { itemIds: [newId()], parameters: {}, dryRun: false };
  return new CreateBulkJob({ type: 'users.disable' }, input, caller);
};
const deleted = async (before?: (user: TestUser) => Promise<unknown>): Promise<string> => {
  const user = await app.createUser();
  const { id } = user;
  await before?.(user);
  await execute(new DeleteUser(id, caller, null));
  return id;
};
let percent = 0;
/** Sets the flag first, so that the command changes a row that exists. */
async function setFlag(): Promise<SetFlag> {
  await execute(new SetFlag(webhooksFlag, { enabled: true, rollout_percent: ++percent }, null));
  return new SetFlag(webhooksFlag, { enabled: true, rollout_percent: ++percent }, null);
}
let addresses = 0;
const address = (): string => `fault-${++addresses}@example.com`;

const foreign = (): ImportedUser => ({
  email: address(),
  emailKey: `fault-${addresses}@example.com`,
  name: 'Ada',
  passwordHash: null,
  emailVerified: true,
  disabled: false,
  roles: ['user'],
  createdAt: null,
});

/** One instance per command that makes it do everything it can. */
const commands: readonly (readonly [Type<ICommand>, () => Promise<ICommand> | ICommand])[] = [
  [
    CreateUser,
    () => new CreateUser({ email: address(), name: 'Ada', password: PASSWORD, roles: ['premium'] }, caller),
  ],
  [ImportUsers, () => new ImportUsers([foreign(), foreign()])],
  [
    MergeImportedUsers,
    async () => {
      const { email } = await app.createUser();
      const user = { ...foreign(), email, emailKey: email, roles: ['premium', 'user'], disabled: true };
      return new MergeImportedUsers([user], 'update', caller);
    },
  ],
  [
    UpdateUser,
    async () =>
      new UpdateUser((await app.createUser()).id, { name: 'Ada', status: 'disabled' }, caller, null),
  ],
  [
    SetRoles,
    async () =>
      new SetRoles((await app.createUser()).id, ['premium', 'user'], caller, Preconditions.anyVersion),
  ],
  [SetEmail, async () => new SetEmail((await app.createUser()).id, { email: address() }, caller, null)],
  [SendPasswordMail, async () => new SendPasswordMail((await app.createUser()).id, 'set-password', caller)],
  [DeleteUser, async () => new DeleteUser((await app.createUser()).id, caller, null)],
  [RestoreUser, async () => new RestoreUser(await deleted(), caller)],
  [EraseUser, async () => new EraseUser(await deleted(makeResource), caller)],
  [
    VerifyEmail,
    async () => {
      const { id, email } = await app.createUser();
      return new VerifyEmail(id, email);
    },
  ],
  [ChangeEmail, async () => new ChangeEmail((await app.createUser()).id, address())],
  [
    ReplacePassword,
    async () => {
      const user = await userOf(await app.createUser());
      const hash = await app.nest.get(UsersService).hashPassword(OTHER_PASSWORD, user, 'password');
      return new ReplacePassword(user, hash, 'auth.password_reset');
    },
  ],
  [SignIn, async () => new SignIn({ email: (await app.createUser()).email, password: PASSWORD }, CLIENT)],
  [
    RefreshSession,
    async () => {
      const user = await app.createUser();
      const session = await startSession(user);
      const pair = app.nest.get(TokensService).issuePair(await userOf(user), session);
      return new RefreshSession(pair.refresh_token);
    },
  ],
  [
    EndSession,
    async () => {
      const user = await app.createUser();
      return new EndSession((await startSession(user)).sessionId, user.id, 'auth.logout');
    },
  ],
  [SendPasswordMail, async () => new SendPasswordMail((await app.createUser()).id, 'set-password', caller)],
  [SignOutUser, async () => new SignOutUser((await app.createUser()).id, caller)],
  [EndSessions, async () => new EndSessions((await app.createUser()).id, null, 'session.revoke')],
  [
    ChangePassword,
    async () => {
      const user = await app.createUser();
      const { sessionId } = await startSession(user);
      const input = { current_password: PASSWORD, new_password: OTHER_PASSWORD };
      return new ChangePassword(principalOf(user, sessionId), input, CLIENT);
    },
  ],
  [CreateResource, () => new CreateResource({ type: 'project', name: 'Engine' }, caller)],
  [DeleteResource, async () => new DeleteResource((await makeResource(app.admin)).id, caller, null)],
  [TransferResources, transfer],
  [SetFlag, setFlag],
  [
    UpdateWebhook,
    async () => {
      const { webhook } = await makeWebhook();
      return new UpdateWebhook(webhook.id, { description: 'A note', status: 'paused' }, null);
    },
  ],
  [SendTestEvent, async () => new SendTestEvent((await makeWebhook()).webhook.id)],
  [CreateBulkJob, createJob],
  [CancelJob, async () => new CancelJob((await execute<Job>(createJob())).id, caller)],
  // The last one, because it needs a service without an administrator.
  [
    RecoverAdministrator,
    async () => {
      const user = await userOf(await app.createUser());
      const hash = await app.nest.get(UsersService).hashPassword(OTHER_PASSWORD, user, 'password');
      return new RecoverAdministrator(user.email, hash);
    },
  ],
  [
    CreateFirstAdministrator,
    async () => {
      await superuser.query(`UPDATE users SET roles = '{user}' WHERE 'admin' = ANY (roles)`);
      return new CreateFirstAdministrator({ email: address(), name: 'Ada', password: PASSWORD });
    },
  ],
];

/**
 * Returns true if the connection broke at the start of a transaction or of a lone read, when nothing was done
 * yet, or after a transaction whose COMMIT travelled with its only statement.
 */
const maySendAgain = (broken: BrokenStatement | null): boolean =>
  broken !== null &&
  !broken.inTransaction &&
  (broken.text === 'COMMIT'
    ? !broken.begins
    : broken.begins || broken.text === 'START TRANSACTION' || isRead(broken.text));

describe('a connection fault', () => {
  it('is tested in every command', () => {
    const handled = [...app.nest.get(ModulesContainer).values()]
      .flatMap((module) => [...module.providers.values()])
      .map(({ metatype }): unknown => metatype && Reflect.getMetadata(HANDLES, metatype))
      .filter((command) => command !== undefined && command !== null);
    expect(handled.length).toBeGreaterThan(0);
    expect(new Set(commands.map(([command]) => command))).toEqual(new Set(handled));
  });

  it.each(commands.map(([{ name }, prepare]) => [name, prepare] as const))(
    'during %s leaves no row, event, entry or task behind, and one before it is harmless',
    async (_, prepare) => {
      const twin = await prepare();
      const untouched = await rows.now();
      const statements = await faults.statementsOf(() => execute(twin));
      const whole = rows.added(untouched, await rows.now());
      const last = statements.lastIndexOf('COMMIT') + 1;
      expect(last).toBeGreaterThan(2);

      let command = await prepare();
      let before = await rows.now();
      // Starts with the last statement, because the service caches a key that an attempt has read, and the
      // next one sends fewer.
      for (let statement = last; statement > 0; statement--) {
        // Failed attempts would otherwise slow down the next one.
        await superuser.query('DELETE FROM sign_in_failures');
        const { failed, broken } = await faults.breaksBefore(statement, () => execute(command));
        const after = await rows.now();
        expect({ statement, failed }).toEqual({ statement, failed: !maySendAgain(broken) });
        if (failed) {
          expect({ statement, ...after }).toEqual({ statement, ...before });
          continue;
        }
        // Another connection did it exactly once.
        expect({ statement, ...rows.added(before, after) }).toEqual({ statement, ...whole });
        command = await prepare();
        before = await rows.now();
      }
      await execute(command);
      expect(await rows.now()).not.toEqual(before);
    },
  );
});
