import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RolesModule } from '../roles/roles.module.js';
import { FirstAdministrator } from './first-administrator.js';
import { LastLogins } from './last-logins.js';
import { MeController } from './me.controller.js';
import { User } from './user.entity.js';
import { UsersController } from './users.controller.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([User]), RolesModule],
  controllers: [MeController, UsersController],
  providers: [UsersService, UsersRepository, FirstAdministrator, LastLogins],
  exports: [UsersService],
})
export class UsersModule {}
