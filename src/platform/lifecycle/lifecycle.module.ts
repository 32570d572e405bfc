import { Global, Module } from '@nestjs/common';
import { DescriptorWatch } from './descriptor-watch.js';
import { Lifecycle } from './lifecycle.js';

@Global()
@Module({ providers: [Lifecycle, DescriptorWatch], exports: [Lifecycle] })
export class LifecycleModule {}
