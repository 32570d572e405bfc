import { type DynamicModule, Inject, Module } from '@nestjs/common';
import type { Config } from './config.js';

const CONFIG = Symbol('Config');

/** Injects the checked configuration: `@InjectConfig() private readonly config: Config`. */
export const InjectConfig = (): ParameterDecorator => Inject(CONFIG);

/** Hands the configuration that the start has read, or a test has made, to every module. */
@Module({})
export class ConfigModule {
  static with(config: Config): DynamicModule {
    const provider = { provide: CONFIG, useValue: config };
    return { module: ConfigModule, global: true, providers: [provider], exports: [provider] };
  }

  /** The token, for `inject: []` of an asynchronous module. */
  static readonly token = CONFIG;
}
