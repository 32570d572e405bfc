import { Module } from '@nestjs/common';
import { UsersModule } from '../users/users.module.js';
import { FeedController } from './feed.controller.js';
import { FeedService } from './feed.service.js';

@Module({ imports: [UsersModule], controllers: [FeedController], providers: [FeedService] })
export class FeedModule {}
