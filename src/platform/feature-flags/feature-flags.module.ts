import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DeclaredFlag } from './declared-flag.js';
import { DECLARED_FLAGS } from './declared-flags.token.js';
import { FeatureFlags } from './feature-flags.service.js';
import { FlagRow } from './flag-row.entity.js';
import { FlagSnapshots } from './flag.snapshots.js';
import { FlagsRepository } from './flags.repository.js';

@Module({})
export class FeatureFlagsModule {
  /** Takes every flag that the features declare. */
  static with(flags: readonly DeclaredFlag[]): DynamicModule {
    return {
      module: FeatureFlagsModule,
      global: true,
      imports: [TypeOrmModule.forFeature([FlagRow])],
      providers: [{ provide: DECLARED_FLAGS, useValue: flags }, FlagsRepository, FlagSnapshots, FeatureFlags],
      exports: [DECLARED_FLAGS, FlagsRepository, FlagSnapshots, FeatureFlags],
    };
  }
}
