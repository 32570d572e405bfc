import { Module } from '@nestjs/common';
import { makeCounterProvider } from '@willsoto/nestjs-prometheus';
import { SPANS_DROPPED, Telemetry } from './telemetry.service.js';

@Module({
  providers: [
    Telemetry,
    makeCounterProvider({
      name: SPANS_DROPPED,
      help: 'Spans recorded and not sent, because too many waited or the collector did not take them',
    }),
  ],
})
export class TelemetryModule {}
