import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { OutboundResponse } from './outbound-outcome.js';

/** The number of responses kept in memory. */
const MAX_RESPONSES = 10_000;
/** The total size of the bodies kept in memory. */
const MAX_TOTAL_BYTES = 16_777_216;
/** The approximate size of an entry without its body. */
const OVERHEAD_BYTES = 1024;

/** Keeps responses for a while. A response may be missing at any time. */
export interface ResponseStore {
  find(key: string): Promise<OutboundResponse | null>;
  keep(key: string, response: OutboundResponse, seconds: number): void;
  close(): void;
}

/** Keeps responses in this process's memory. */
export class LocalResponseStore implements ResponseStore {
  private readonly responses = new LRUCache<string, OutboundResponse>({
    max: MAX_RESPONSES,
    maxSize: MAX_TOTAL_BYTES,
    sizeCalculation: ({ body }) => body.length + OVERHEAD_BYTES,
  });

  find(key: string): Promise<OutboundResponse | null> {
    return Promise.resolve(this.responses.get(key) ?? null);
  }

  keep(key: string, response: OutboundResponse, seconds: number): void {
    this.responses.set(key, response, { ttl: seconds * 1000 });
  }

  close(): void {
    this.responses.clear();
  }
}

/** Returns the key of a request: equal requests have equal keys, which tell nothing about them. */
export function responseKey(url: string, headers: Readonly<Record<string, string>>): string {
  const named = Object.entries(headers).map(([name, value]) => `${name.toLowerCase()}: ${value}`);
  const text = JSON.stringify([new URL(url).href, named.toSorted()]);
  return createHash('sha256').update(text).digest('base64url');
}

/**
 * Returns the time to keep a response: at most `seconds`, and less if `Cache-Control` says so. Returns 0 for one that
 * must not be kept (RFC 9111, 3).
 */
export function lifetimeSeconds({ status, headers }: OutboundResponse, seconds: number): number {
  if (status !== 200 || textOf(headers['vary']).includes('*')) return 0;
  const directives = textOf(headers['cache-control'])
    .toLowerCase()
    .split(/\s*,\s*/);
  if (directives.some((directive) => /^(?:no-store|no-cache|private)(?:=|$)/.test(directive))) return 0;
  const age = Number(/^\d{1,9}$/.exec(textOf(headers['age']))?.[0] ?? 0);
  const limits = ['s-maxage', 'max-age'].flatMap((name) =>
    directives.flatMap((directive) => {
      const value = new RegExp(`^${name}="?(\\d{1,10})"?$`).exec(directive)?.[1];
      return value === undefined ? [] : [Number(value) - age];
    }),
  );
  return Math.max(0, Math.min(seconds, limits[0] ?? seconds));
}

const textOf = (header: string | string[] | undefined): string =>
  typeof header === 'string' ? header : (header ?? []).join(',');
