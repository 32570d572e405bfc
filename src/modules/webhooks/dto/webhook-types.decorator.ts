import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IsShortList } from '../../../common/validation/short-list.decorator.js';
import { storedEventTypes } from '../../event-types.js';
import { webhookEventTypes } from '../events/webhook-events.js';

/** The types that a webhook can ask for. A test event needs no asking. */
export const deliverableTypes = storedEventTypes.filter((type) => type !== webhookEventTypes.test);

/** Accepts one or more distinct types of events. */
export const IsDeliverableTypes = (): PropertyDecorator =>
  applyDecorators(
    IsShortList(1, deliverableTypes.length),
    IsIn(deliverableTypes, { each: true }),
    ApiProperty({
      enum: [...deliverableTypes],
      isArray: true,
      uniqueItems: true,
      minItems: 1,
      maxItems: deliverableTypes.length,
      example: ['user.created', 'user.deleted'],
    }),
  );
