import { Module } from '@nestjs/common';
import { EventSink } from './event.sink.js';

/** Sends events to a message bus, if one is configured. */
@Module({ providers: [EventSink] })
export class EventSinkModule {}
