import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { UsersModule } from '../users/users.module.js';
import { DeleteUsersAction, RestoreUsersAction } from './actions/deletion.actions.js';
import { RevokeSessionsAction } from './actions/revoke-sessions.action.js';
import { GrantRoleAction, RevokeRoleAction } from './actions/role.actions.js';
import { SendResetAction } from './actions/send-reset.action.js';
import { DisableUsersAction, EnableUsersAction } from './actions/set-status.actions.js';
import { USER_ACTIONS, type UserAction } from './user-action.types.js';
import { UserBatchesController } from './user-batches.controller.js';
import { UserBatchesService } from './user-batches.service.js';

const actions = [
  EnableUsersAction,
  DisableUsersAction,
  DeleteUsersAction,
  RestoreUsersAction,
  GrantRoleAction,
  RevokeRoleAction,
  RevokeSessionsAction,
  SendResetAction,
];

@Module({
  imports: [UsersModule, RolesModule, AuthModule, JobsModule],
  controllers: [UserBatchesController],
  providers: [
    UserBatchesService,
    ...actions,
    { provide: USER_ACTIONS, useFactory: (...all: UserAction[]) => all, inject: actions },
  ],
})
export class UserBatchesModule {}
