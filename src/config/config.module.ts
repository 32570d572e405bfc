import { type DynamicModule, Inject, Module } from '@nestjs/common';
import type { Config } from './config.js';

const CONFIG = Symbol('Config');

/** Injects the validated configuration: `@InjectConfig() private readonly config: Config`. */
export const InjectConfig = (): ParameterDecorator => Inject(CONFIG);

/** Provides every module with the configuration, which the start reads or a test creates. */
@Module({})
export class ConfigModule {
  static with(config: Config): DynamicModule {
    const provider = { provide: CONFIG, useValue: config };
    return { module: ConfigModule, global: true, providers: [provider], exports: [provider] };
  }

  /** The injection token, for `inject: []` of an asynchronous module. */
  static readonly token = CONFIG;
}
