import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Client, NOOP_PROVIDER, OpenFeature } from '@openfeature/server-sdk';
import { AppError } from '../../common/errors/app.error.js';
import type { DeclaredFlag } from './declared-flag.js';
import { FlagProvider } from './flag.provider.js';
import { FlagSnapshots } from './flag.snapshots.js';

/** Tells features whether their flags are on, through OpenFeature. */
@Injectable()
export class FeatureFlags implements OnModuleInit, OnModuleDestroy {
  /** OpenFeature is one for the process, and tests run several services in one. */
  readonly domain = `gatehouse-${randomUUID()}`;
  private readonly client: Client;

  constructor(private readonly snapshots: FlagSnapshots) {
    this.client = OpenFeature.getClient(this.domain);
  }

  async onModuleInit(): Promise<void> {
    await OpenFeature.setProviderAndWait(this.domain, new FlagProvider(this.snapshots));
  }

  onModuleDestroy(): void {
    OpenFeature.setProvider(this.domain, NOOP_PROVIDER);
  }

  /** Tells whether the flag is on for the user; null stands for a caller without an account. */
  isOn(flag: DeclaredFlag, userId: string | null): Promise<boolean> {
    return this.client.getBooleanValue(
      flag.key,
      flag.default,
      userId === null ? {} : { targetingKey: userId },
    );
  }

  /** Tells whether the flag is switched off for everyone. For work that belongs to no caller. */
  isDisabled(flag: DeclaredFlag): boolean {
    return this.snapshots.current.settingOf(flag.key)?.enabled === false;
  }

  /** @throws AppError `FORBIDDEN` with the flag's message while the flag is off for the user */
  async assertOn(flag: DeclaredFlag, userId: string | null): Promise<void> {
    if (await this.isOn(flag, userId)) return;
    throw new AppError('FORBIDDEN', {
      message: flag.refusal,
      details: [{ field: 'flag', message: `The flag ${flag.key} is off` }],
      // The caller lacks no permission, so the audit log gets no entry.
      denied: false,
    });
  }
}
