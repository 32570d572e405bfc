import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { EventAnnouncer } from './event.announcer.js';
import { EventStore } from './event-store.js';
import { HorizonMonitor } from './horizon.monitor.js';
import { RecordedEvent } from './event.entity.js';
import { HistoryEpoch } from './history-epoch.entity.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([RecordedEvent, HistoryEpoch])],
  providers: [EventStore, EventAnnouncer, HorizonMonitor],
  exports: [EventStore, EventAnnouncer, HorizonMonitor],
})
export class EventStoreModule {}
