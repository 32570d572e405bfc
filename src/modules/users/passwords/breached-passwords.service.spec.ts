import { describe, expect, it } from '@jest/globals';
import { readConfig } from '../../../config/config.js';
import { OutboundTargetsService } from '../../../platform/http-client/outbound-targets.service.js';
import { assertRangesMayBeCalled } from './breached-passwords.service.js';

function start(environment: Readonly<Record<string, string>>): void {
  const config = readConfig(environment);
  assertRangesMayBeCalled(config, new OutboundTargetsService(config));
}

describe('the service of ranges', () => {
  it.each(['https://10.0.0.1/range', 'https://[::1]/range'])('must not be %s', (url) => {
    expect(() => start({ PWNED_PASSWORDS_URL: url })).toThrow(
      'PWNED_PASSWORDS_URL must not lead to a private address',
    );
  });

  it('may be absent, public, or private where that is allowed', () => {
    start({});
    start({ PWNED_PASSWORDS_URL: 'https://api.pwnedpasswords.com/range' });
    start({ PWNED_PASSWORDS_URL: 'http://10.0.0.1/range', OUTBOUND_ALLOW_PRIVATE: 'true' });
  });

  it('must use https where private addresses are not allowed', () => {
    expect(() => start({ PWNED_PASSWORDS_URL: 'HTTP://example.com/range' })).toThrow(
      'PWNED_PASSWORDS_URL must use https unless OUTBOUND_ALLOW_PRIVATE is true',
    );
  });
});
