import { Global, Module } from '@nestjs/common';
import { EventStore } from './event-store.js';
import { HorizonWatch } from './horizon-watch.js';

@Global()
@Module({ providers: [EventStore, HorizonWatch], exports: [EventStore] })
export class EventStoreModule {}
