import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OutboundHttpModule } from '../../platform/http-client/outbound-http.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { UserWriter } from './user.writer.js';
import { UserHistory } from './history/user.history.js';
import { UserAuthorityPolicy } from './user-authority.policy.js';
import { ChangeEmailHandler } from './commands/change-email.command.js';
import { CreateFirstAdministratorHandler } from './commands/create-first-administrator.command.js';
import { CreateUserHandler } from './commands/create-user.command.js';
import { DeleteUserHandler } from './commands/delete-user.command.js';
import { EraseUserHandler } from './commands/erase-user.command.js';
import { ImportUsersHandler } from './commands/import-users.command.js';
import { MergeImportedUsersHandler } from './commands/merge-imported-users.command.js';
import { RecoverAdministratorHandler } from './commands/recover-administrator.command.js';
import { ReplacePasswordHandler } from './commands/replace-password.command.js';
import { RestoreUserHandler } from './commands/restore-user.command.js';
import { SetEmailHandler } from './commands/set-email.command.js';
import { SetRolesHandler } from './commands/set-roles.command.js';
import { UpdateUserHandler } from './commands/update-user.command.js';
import { VerifyEmailHandler } from './commands/verify-email.command.js';
import { ErasureLog } from './erasure/erasure.log.js';
import { ErasureScheduler } from './erasure/erasure.scheduler.js';
import { FirstAdministratorService } from './first-start/first-administrator.service.js';
import { LastAdminPolicy } from './last-admin.policy.js';
import { LastLoginBuffer } from './last-login.buffer.js';
import { MeController } from './me.controller.js';
import { breachedPasswords } from './passwords/breached-passwords.service.js';
import { UserRegistration } from './user-registration.service.js';
import { SearchKeyFillService } from './listing/search-key-fill.service.js';
import { SearchKeysRepository } from './listing/search-keys.repository.js';
import { User } from './user.entity.js';
import { UserDeletionController } from './erasure/user-deletion.controller.js';
import { UsersController } from './users.controller.js';
import { UserStatisticsService } from './user-statistics.service.js';
import { UsersListener } from './users.listener.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';
import { SearchKeyFillProgress } from './listing/search-key-fill.entity.js';

const commands = [
  CreateUserHandler,
  CreateFirstAdministratorHandler,
  ImportUsersHandler,
  MergeImportedUsersHandler,
  UpdateUserHandler,
  SetEmailHandler,
  SetRolesHandler,
  DeleteUserHandler,
  RestoreUserHandler,
  EraseUserHandler,
  VerifyEmailHandler,
  ChangeEmailHandler,
  ReplacePasswordHandler,
  RecoverAdministratorHandler,
];

@Module({
  imports: [TypeOrmModule.forFeature([User, SearchKeyFillProgress]), OutboundHttpModule, RolesModule],
  controllers: [MeController, UsersController, UserDeletionController],
  providers: [
    UsersService,
    UsersRepository,
    UserWriter,
    UserAuthorityPolicy,
    UserHistory,
    UserRegistration,
    LastAdminPolicy,
    FirstAdministratorService,
    UserStatisticsService,
    ErasureScheduler,
    ErasureLog,
    LastLoginBuffer,
    SearchKeyFillService,
    SearchKeysRepository,
    UsersListener,
    ...breachedPasswords,
    ...commands,
  ],
  exports: [UsersService],
})
export class UsersModule {}
