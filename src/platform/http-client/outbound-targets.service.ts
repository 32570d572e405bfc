import { isIP } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { isPrivateAddress } from './private-addresses.js';
import { findHostFault, findMend, findTextFault } from './written-url.js';

/** The maximum length of a target's URL, as given and as sent. */
export const MAX_TARGET_LENGTH = 2048;

/** Decides which URLs the service may call. */
@Injectable()
export class OutboundTargetsService {
  /** True if `http` and private addresses are allowed (`OUTBOUND_ALLOW_PRIVATE`). */
  readonly allowsPrivate: boolean;

  constructor(@InjectConfig() config: Pick<Config, 'OUTBOUND_ALLOW_PRIVATE'>) {
    this.allowsPrivate = config.OUTBOUND_ALLOW_PRIVATE;
  }

  /**
   * Returns the reason why a URL cannot be a target, as a message about `field`, or null. Judges an address in the
   * URL in every spelling, because the URL parser makes them one. A host name is judged at each attempt, by the
   * addresses that it then has.
   */
  faultOf(url: string, field = 'url'): string | null {
    const fault = this.findFault(url);
    return fault === null ? null : `${field} ${fault}`;
  }

  /**
   * Returns true if the host of a URL is an address that must not be called. A host name is not refused here.
   * @param hostname as the URL parser returns it; an IPv6 address may have brackets
   */
  refusesLiteral(hostname: string): boolean {
    const address = hostname.replace(/^\[|\]$/g, '');
    return isIP(address) !== 0 && this.refusesAddress(address);
  }

  /** Returns true if an address that a name resolved to must not be called. */
  refusesAddress(address: string): boolean {
    return !this.allowsPrivate && isPrivateAddress(address);
  }

  private findFault(url: string): string | null {
    if (url.length > MAX_TARGET_LENGTH) return `must have at most ${MAX_TARGET_LENGTH} characters`;
    const textFault = findTextFault(url);
    if (textFault !== null) return textFault;
    const parsed = new URL(url);
    const { protocol, hostname, href } = parsed;
    if (protocol !== 'https:' && !(this.allowsPrivate && protocol === 'http:'))
      return this.allowsPrivate ? 'must use https or http' : 'must use https';
    if (hasCredentials(url)) return 'must not contain credentials';
    if (href.includes('#')) return 'must not contain a fragment';
    if (href.length > MAX_TARGET_LENGTH)
      return `must have at most ${MAX_TARGET_LENGTH} characters when its special characters are encoded`;
    if (this.refusesLiteral(hostname)) return 'must not lead to a private address';
    return findMend(url, parsed) ?? findHostFault(parsed);
  }
}

/** Returns true if there is an `@` before the path, also with nothing before it. */
const hasCredentials = (url: string): boolean => /^https?:[/\\]*[^/\\?#]*@/i.test(url);
