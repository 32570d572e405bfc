import { Module } from '@nestjs/common';
import { SetFlagHandler } from './commands/set-flag.command.js';
import { FlagErasureService } from './flag-erasure.service.js';
import { FlagWriter } from './flag.writer.js';
import { FlagsController } from './flags.controller.js';
import { FlagsListener } from './flags.listener.js';
import { FlagsService } from './flags.service.js';
import { OfrepController } from './ofrep/ofrep.controller.js';
import { OfrepService } from './ofrep/ofrep.service.js';

@Module({
  controllers: [FlagsController, OfrepController],
  providers: [FlagsService, OfrepService, SetFlagHandler, FlagWriter, FlagErasureService, FlagsListener],
})
export class FlagsModule {}
