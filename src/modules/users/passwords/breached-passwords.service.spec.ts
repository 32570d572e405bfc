import { describe, expect, it } from '@jest/globals';
import { Counter } from 'prom-client';
import { OutboundClient } from '../../../../test/support/http/outbound-client.js';
import { readConfig } from '../../../config/config.js';
import { BreachedPasswordsService } from './breached-passwords.service.js';

function start(environment: Readonly<Record<string, string>>): void {
  const config = readConfig(environment);
  const { http, targets } = new OutboundClient({ allowPrivate: config.OUTBOUND_ALLOW_PRIVATE });
  const checks = new Counter({ name: 'checks', help: 'checks', labelNames: ['result'], registers: [] });
  new BreachedPasswordsService(config, http, targets, checks).onModuleInit();
}

describe('BreachedPasswordsService', () => {
  it.each(['https://10.0.0.1/range', 'https://[::1]/range'])('refuses to start with %s', (url) => {
    expect(() => start({ PWNED_PASSWORDS_URL: url })).toThrow(
      'PWNED_PASSWORDS_URL must not lead to a private address',
    );
  });

  it('starts without an address, with a public one, and with a private one that is allowed', () => {
    start({});
    start({ PWNED_PASSWORDS_URL: 'https://api.pwnedpasswords.com/range' });
    start({ PWNED_PASSWORDS_URL: 'http://10.0.0.1/range', OUTBOUND_ALLOW_PRIVATE: 'true' });
  });

  it('requires https where private addresses are not allowed', () => {
    expect(() => start({ PWNED_PASSWORDS_URL: 'HTTP://example.com/range' })).toThrow(
      'PWNED_PASSWORDS_URL must use https unless OUTBOUND_ALLOW_PRIVATE is true',
    );
  });
});
