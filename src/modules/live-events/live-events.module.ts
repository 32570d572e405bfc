import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuthModule } from '../auth/auth.module.js';
import { EventsModule } from '../events/events.module.js';
import { EventStreamsController } from './event-streams.controller.js';
import { EventStreams } from './event.streams.js';
import { EventSource } from './feed/event.source.js';
import { EventTailer } from './feed/event.tailer.js';
import { liveEventsMetrics } from './live-events.metrics.js';
import { SocketServer } from './sockets/socket.server.js';
import { SocketsController } from './sockets/sockets.controller.js';
import { StreamPlacesService } from './stream-places.service.js';
import { SocketTicket } from './tickets/socket-ticket.entity.js';
import { SocketTicketsRepository } from './tickets/socket-tickets.repository.js';
import { TicketsController } from './tickets/tickets.controller.js';
import { TicketsService } from './tickets/tickets.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([SocketTicket]), AuthModule, EventsModule],
  controllers: [EventStreamsController, TicketsController, SocketsController],
  providers: [
    EventSource,
    EventTailer,
    EventStreams,
    StreamPlacesService,
    SocketServer,
    TicketsService,
    SocketTicketsRepository,
    ...liveEventsMetrics,
  ],
})
export class LiveEventsModule {}
