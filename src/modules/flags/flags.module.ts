import { Module } from '@nestjs/common';
import { SetFlagHandler } from './commands/set-flag.command.js';
import { FlagsController } from './flags.controller.js';
import { FlagsService } from './flags.service.js';
import { OfrepController } from './ofrep/ofrep.controller.js';
import { OfrepService } from './ofrep/ofrep.service.js';

@Module({
  controllers: [FlagsController, OfrepController],
  providers: [FlagsService, OfrepService, SetFlagHandler],
})
export class FlagsModule {}
