import { Global, Module } from '@nestjs/common';
import { DescriptorWatch } from './descriptor-watch.js';
import { LifecycleService } from './lifecycle.service.js';

@Global()
@Module({ providers: [LifecycleService, DescriptorWatch], exports: [LifecycleService] })
export class LifecycleModule {}
