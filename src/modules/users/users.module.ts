import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RolesModule } from '../roles/roles.module.js';
import { AccountChanges } from './account-changes.js';
import { AccountHistory } from './account-history.js';
import { Authority } from './authority.js';
import { ChangeEmailHandler } from './commands/change-email.command.js';
import { CreateFirstAdministratorHandler } from './commands/create-first-administrator.command.js';
import { CreateUserHandler } from './commands/create-user.command.js';
import { DeleteUserHandler } from './commands/delete-user.command.js';
import { EraseUserHandler } from './commands/erase-user.command.js';
import { ImportUsersHandler } from './commands/import-users.command.js';
import { ReplacePasswordHandler } from './commands/replace-password.command.js';
import { RestoreUserHandler } from './commands/restore-user.command.js';
import { SetRolesHandler } from './commands/set-roles.command.js';
import { UpdateUserHandler } from './commands/update-user.command.js';
import { VerifyEmailHandler } from './commands/verify-email.command.js';
import { ErasureLog } from './erasure-log.js';
import { Erasures } from './erasures.js';
import { FirstAdministrator } from './first-administrator.js';
import { LastAdmin } from './last-admin.js';
import { LastLogins } from './last-logins.js';
import { MeController } from './me.controller.js';
import { NewAccounts } from './new-accounts.js';
import { SearchKeyFill } from './search-key-fill.js';
import { SearchKeysRepository } from './search-keys.repository.js';
import { User } from './user.entity.js';
import { UserDeletionController } from './user-deletion.controller.js';
import { UsersController } from './users.controller.js';
import { UsersListener } from './users.listener.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';
import { SearchKeyFillProgress } from './search-key-fill.entity.js';

const commands = [
  CreateUserHandler,
  CreateFirstAdministratorHandler,
  ImportUsersHandler,
  UpdateUserHandler,
  SetRolesHandler,
  DeleteUserHandler,
  RestoreUserHandler,
  EraseUserHandler,
  VerifyEmailHandler,
  ChangeEmailHandler,
  ReplacePasswordHandler,
];

@Module({
  imports: [TypeOrmModule.forFeature([User, SearchKeyFillProgress]), RolesModule],
  controllers: [MeController, UsersController, UserDeletionController],
  providers: [
    UsersService,
    UsersRepository,
    AccountChanges,
    Authority,
    AccountHistory,
    NewAccounts,
    LastAdmin,
    FirstAdministrator,
    Erasures,
    ErasureLog,
    LastLogins,
    SearchKeyFill,
    SearchKeysRepository,
    UsersListener,
    ...commands,
  ],
  exports: [UsersService],
})
export class UsersModule {}
