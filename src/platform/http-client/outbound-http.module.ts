import { Module } from '@nestjs/common';
import { OutboundHttpService } from './outbound-http.service.js';
import { OutboundTargetsService } from './outbound-targets.service.js';

/** The client for HTTP requests to other systems. */
@Module({
  providers: [OutboundHttpService, OutboundTargetsService],
  exports: [OutboundHttpService, OutboundTargetsService],
})
export class OutboundHttpModule {}
