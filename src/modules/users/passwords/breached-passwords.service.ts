import { createHash } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectMetric, makeCounterProvider } from '@willsoto/nestjs-prometheus';
import { Counter } from 'prom-client';
import { AppError } from '../../../common/errors/app.error.js';
import { type Config, ConfigError } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { FeatureFlags } from '../../../platform/feature-flags/feature-flags.service.js';
import { OutboundHttpService } from '../../../platform/http-client/outbound-http.service.js';
import { OutboundTargetsService } from '../../../platform/http-client/outbound-targets.service.js';
import { BackgroundLogger } from '../../../platform/logging/background.logger.js';
import { breachedPasswordsFlag } from '../users.flags.js';
import { findInRange } from './password-range.js';

const CHECKS = 'breached_password_checks_total';
/** The longest wait for the service of ranges, with retries. A sign-up must not take much longer without it. */
const TOTAL_MS = 2000;
/** The number of hexadecimal digits of the hash that the service of ranges learns. */
const PREFIX_LENGTH = 5;
const RESULTS = ['clear', 'breached', 'failed'] as const;
const WARN_INTERVAL_MS = 60_000;

/**
 * Refuses passwords that are known from breaches. It sends the first five digits of the password's SHA-1 hash to
 * `PWNED_PASSWORDS_URL` and compares the rest here, so that the other side learns neither the password nor its hash.
 * When the other side fails, passwords are accepted unchecked.
 */
@Injectable()
export class BreachedPasswordsService implements OnModuleInit {
  private readonly logger = new BackgroundLogger(BreachedPasswordsService.name);
  private warnedAt = -Infinity;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly outbound: OutboundHttpService,
    private readonly targets: OutboundTargetsService,
    private readonly flags: FeatureFlags,
    @InjectMetric(CHECKS) private readonly checks: Counter,
  ) {}

  onModuleInit(): void {
    assertRangesMayBeCalled(this.config, this.targets);
    // From the start, so that an alert notices the first failure.
    if (this.config.PWNED_PASSWORDS_URL !== undefined)
      for (const result of RESULTS) this.checks.inc({ result }, 0);
  }

  /**
   * Checks a new password if the check is on for the user; null stands for one who does not exist yet. Takes at most
   * two seconds.
   * @throws AppError `VALIDATION_ERROR` for `field` when the password is known from a breach
   */
  async assertNotBreached(password: string, field: string, userId: string | null): Promise<void> {
    const url = await this.activeUrl(userId);
    if (url === null) return;
    const result = await this.check(password, url);
    this.checks.inc({ result });
    if (result === 'breached')
      throw AppError.invalid(field, `${field} must not be one that is known from a data breach`);
  }

  /** Returns the address of the service of ranges, or null while the check is off. The only place that decides it. */
  private async activeUrl(userId: string | null): Promise<string | null> {
    const { PWNED_PASSWORDS_URL: url } = this.config;
    return url !== undefined && (await this.flags.isOn(breachedPasswordsFlag, userId)) ? url : null;
  }

  private async check(password: string, url: string): Promise<(typeof RESULTS)[number]> {
    const hash = createHash('sha1').update(password, 'utf8').digest('hex').toUpperCase();
    try {
      const range = new URL(hash.slice(0, PREFIX_LENGTH), `${url}/`).href;
      // Padding hides the number of entries, and so the prefix, from those who see only the size.
      const headers = { 'Add-Padding': 'true' };
      const { body } = await this.outbound.get(range, { headers, totalMs: TOTAL_MS });
      return findInRange(body.toString('latin1'), hash.slice(PREFIX_LENGTH)) ? 'breached' : 'clear';
    } catch (error) {
      this.warn(error);
      return 'failed';
    }
  }

  private warn(error: unknown): void {
    if (performance.now() - this.warnedAt < WARN_INTERVAL_MS) return;
    this.warnedAt = performance.now();
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const reason = cause instanceof Error ? cause.message : message;
    this.logger.warn(`Passwords are not compared with those of breaches: ${reason}`);
  }
}

/** @throws ConfigError when `PWNED_PASSWORDS_URL` leads to a private network that must not be called */
export function assertRangesMayBeCalled(
  { PWNED_PASSWORDS_URL: url }: Config,
  targets: OutboundTargetsService,
): void {
  const fault = url === undefined ? null : targets.faultOf(url, 'PWNED_PASSWORDS_URL');
  if (fault !== null) throw new ConfigError([fault]);
}

export const breachedPasswords = [
  BreachedPasswordsService,
  makeCounterProvider({
    name: CHECKS,
    help: 'New passwords compared with those of breaches, by result; failed ones were accepted unchecked',
    labelNames: ['result'],
  }),
];
