import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider } from '@willsoto/nestjs-prometheus';
import { Counter } from 'prom-client';
import type { SignInRefusal } from '../auth.audit-reasons.js';
import type { Allowance } from './guess-allowances.js';

const SIGN_INS = 'sign_ins_total';
const FAILURES = 'sign_in_failures_total';
const THROTTLED = 'sign_in_throttled_total';

/** Counts sign-ins and refusals. No label names a person, so the number of series is fixed. */
@Injectable()
export class SignInMetrics {
  constructor(
    @InjectMetric(SIGN_INS) private readonly signIns: Counter,
    @InjectMetric(FAILURES) private readonly failures: Counter,
    @InjectMetric(THROTTLED) private readonly throttledAttempts: Counter,
  ) {}

  succeeded(): void {
    this.signIns.inc();
  }

  refused(reason: SignInRefusal): void {
    this.failures.inc({ reason });
  }

  throttled(scope: Allowance['scope']): void {
    this.throttledAttempts.inc({ scope });
  }
}

export const signInMetrics = [
  SignInMetrics,
  makeCounterProvider({ name: SIGN_INS, help: 'Successful sign-ins' }),
  makeCounterProvider({
    name: FAILURES,
    help: 'Refused sign-ins by reason',
    labelNames: ['reason'],
  }),
  makeCounterProvider({
    name: THROTTLED,
    help: 'Password attempts that were refused without a check, by the counter that blocked them: user, network or all',
    labelNames: ['scope'],
  }),
];
