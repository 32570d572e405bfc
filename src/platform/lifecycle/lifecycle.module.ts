import { Global, Module } from '@nestjs/common';
import { DescriptorMonitor } from './descriptor.monitor.js';
import { LifecycleService } from './lifecycle.service.js';

@Global()
@Module({ providers: [LifecycleService, DescriptorMonitor], exports: [LifecycleService] })
export class LifecycleModule {}
