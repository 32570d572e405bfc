import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { BulkJobsModule } from '../jobs/jobs.module.js';
import { RolesModule } from '../roles/roles.module.js';
import { UsersModule } from '../users/users.module.js';
import { DeleteUsers, RestoreUsers } from './actions/deletion.actions.js';
import { RevokeSessions } from './actions/revoke-sessions.action.js';
import { GrantRole, RevokeRole } from './actions/role.actions.js';
import { DisableUsers, EnableUsers } from './actions/set-status.actions.js';
import { USER_ACTIONS, type UserAction } from './user-action.js';
import { UserBatchesController } from './user-batches.controller.js';
import { UserBatchesService } from './user-batches.service.js';

const actions = [EnableUsers, DisableUsers, DeleteUsers, RestoreUsers, GrantRole, RevokeRole, RevokeSessions];

@Module({
  imports: [UsersModule, RolesModule, AuthModule, BulkJobsModule],
  controllers: [UserBatchesController],
  providers: [
    UserBatchesService,
    ...actions,
    { provide: USER_ACTIONS, useFactory: (...all: UserAction[]) => all, inject: actions },
  ],
})
export class UserBatchesModule {}
