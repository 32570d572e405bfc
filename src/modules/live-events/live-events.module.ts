import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { EventsModule } from '../events/events.module.js';
import { EventStreamsController } from './event-streams.controller.js';
import { EventStreams } from './event.streams.js';
import { EventSource } from './feed/event.source.js';
import { EventTailer } from './feed/event.tailer.js';
import { liveEventsMetrics } from './live-events.metrics.js';
import { StreamPlacesService } from './stream-places.service.js';

@Module({
  imports: [AuthModule, EventsModule],
  controllers: [EventStreamsController],
  providers: [EventSource, EventTailer, EventStreams, StreamPlacesService, ...liveEventsMetrics],
})
export class LiveEventsModule {}
