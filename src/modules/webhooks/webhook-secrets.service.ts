import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { Cipher } from '../../platform/crypto/cipher.service.js';
import { newSecret } from './sending/signature.js';
import { WebhooksRepository } from './webhooks.repository.js';

/** The time in seconds for which a former secret still signs. */
const OVERLAP_SECONDS = 86_400;
/** The maximum number of secrets that sign at once, so that the header stays short. */
const MAX_SECRETS = 10;

/** Makes the secrets of webhooks. */
@Injectable()
export class WebhookSecretsService {
  constructor(
    private readonly repository: WebhooksRepository,
    private readonly cipher: Cipher,
  ) {}

  /**
   * Makes a secret in the unit of work that has locked the webhook, and returns it. Former secrets sign for another day.
   * @throws AppError `CONFLICT` when too many secrets sign already
   */
  async add(webhookId: string): Promise<string> {
    if ((await this.repository.countSecrets(webhookId)) >= MAX_SECRETS) {
      const message = `The secret was rotated ${MAX_SECRETS - 1} times within 24 hours. Wait until a former one expires`;
      throw new AppError('CONFLICT', { message });
    }
    const secret = newSecret();
    const encrypted = this.cipher.encrypt(Buffer.from(secret), secretPurpose(webhookId));
    await this.repository.addSecret(webhookId, encrypted, OVERLAP_SECONDS);
    return secret;
  }
}

export const secretPurpose = (webhookId: string): string => `webhook-secret:${webhookId}`;
