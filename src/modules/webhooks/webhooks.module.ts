import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { OutboundHttpModule } from '../../platform/http-client/outbound-http.module.js';
import { SendTestEventHandler } from './commands/send-test-event.command.js';
import { UpdateWebhookHandler } from './commands/update-webhook.command.js';
import { DeliveriesController } from './deliveries/deliveries.controller.js';
import { DeliveriesRepository } from './deliveries/deliveries.repository.js';
import { DeliveriesService } from './deliveries/deliveries.service.js';
import { Delivery } from './deliveries/delivery.entity.js';
import { Lane } from './deliveries/lane.entity.js';
import { Replay } from './deliveries/replay.entity.js';
import { ReplaysRepository } from './deliveries/replays.repository.js';
import { ReplaysService } from './deliveries/replays.service.js';
import { ResponseEncryption } from './deliveries/response-encryption.service.js';
import { DeliverySender } from './sending/delivery.sender.js';
import { SendingRepository } from './sending/sending.repository.js';
import { WebhookDeliverer } from './sending/webhook.deliverer.js';
import { WEBHOOK_METRICS, WebhookMetrics } from './sending/webhook.metrics.js';
import { Webhook } from './webhook.entity.js';
import { WebhookPauses } from './webhook-pauses.service.js';
import { WebhookSecret } from './webhook-secret.entity.js';
import { WebhookSecretsService } from './webhook-secrets.service.js';
import { WebhooksCleanup } from './webhooks.cleanup.js';
import { WebhooksController } from './webhooks.controller.js';
import { WebhooksRepository } from './webhooks.repository.js';
import { WebhooksService } from './webhooks.service.js';

const metrics = [
  makeCounterProvider({
    name: WEBHOOK_METRICS.attempts,
    help: 'Attempts to deliver an event; the last failed one of a delivery counts as dead',
    labelNames: ['outcome'],
  }),
  makeGaugeProvider({
    name: WEBHOOK_METRICS.pending,
    help: 'Deliveries that wait, those of paused webhooks included, up to 100,000',
  }),
  makeGaugeProvider({
    name: WEBHOOK_METRICS.dead,
    help: 'Deliveries that failed for good in the last 30 days, up to 100,000',
  }),
  makeGaugeProvider({ name: WEBHOOK_METRICS.paused, help: 'Webhooks that are paused' }),
  makeGaugeProvider({
    name: WEBHOOK_METRICS.lag,
    help: 'Time for which the oldest due delivery of an active webhook has waited',
  }),
];

@Module({
  imports: [TypeOrmModule.forFeature([Webhook, WebhookSecret, Lane, Delivery, Replay]), OutboundHttpModule],
  controllers: [WebhooksController, DeliveriesController],
  providers: [
    WebhooksService,
    WebhooksRepository,
    WebhookSecretsService,
    WebhookPauses,
    WebhooksCleanup,
    DeliveriesService,
    DeliveriesRepository,
    ReplaysService,
    ReplaysRepository,
    ResponseEncryption,
    DeliverySender,
    SendingRepository,
    WebhookDeliverer,
    WebhookMetrics,
    UpdateWebhookHandler,
    SendTestEventHandler,
    ...metrics,
  ],
  exports: [DeliveriesService],
})
export class WebhooksModule {}
