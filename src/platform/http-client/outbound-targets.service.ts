import { isIP } from 'node:net';
import { Injectable } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { isPrivateAddress } from './private-addresses.js';

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
    if (url.length > MAX_TARGET_LENGTH) return `${field} must have at most ${MAX_TARGET_LENGTH} characters`;
    // The parser would drop spaces and control characters, so that another URL is called than the one shown.
    if (/[\s\p{Cc}]/u.test(url) || !URL.canParse(url)) return `${field} must be a URL`;
    const { protocol, username, password, hostname, href } = new URL(url);
    if (protocol !== 'https:' && !(this.allowsPrivate && protocol === 'http:'))
      return this.allowsPrivate ? `${field} must use https or http` : `${field} must use https`;
    if (username !== '' || password !== '') return `${field} must not contain credentials`;
    if (href.includes('#')) return `${field} must not contain a fragment`;
    if (href.length > MAX_TARGET_LENGTH)
      return `${field} must have at most ${MAX_TARGET_LENGTH} characters when its special characters are encoded`;
    if (this.refusesLiteral(hostname)) return `${field} must not lead to a private address`;
    return null;
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
}
