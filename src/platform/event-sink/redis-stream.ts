import type { Redis } from 'ioredis';
import { openRedis } from '../redis/open-redis.js';

const COMMAND_TIMEOUT_MS = 5000;
/** The time for which an instance stays the sender without a word. Another one takes over then. */
const LEASE_MS = 5000;
/** The entries that a step of trimming looks at. */
const TRIMMED_AT_ONCE = 1000;

/** Returns the id of the last entry that the stream ever had. */
const LAST_ID = `
  local function last_id(key)
    if redis.call('EXISTS', key) == 0 then return '0-0' end
    local info = redis.call('XINFO', 'STREAM', key)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then return info[i + 1] end
    end
  end`;
/** Makes the caller the sender, unless another instance is. */
const CLAIM = `${LAST_ID}
  local sender = redis.call('GET', KEYS[2])
  if sender and sender ~= ARGV[1] then return false end
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
  return last_id(KEYS[1])`;
/** Appends entries if the caller still is the sender and they follow the last one. ARGV[4] is the size of an entry. */
const APPEND = `${LAST_ID}
  if redis.call('GET', KEYS[2]) ~= ARGV[1] or last_id(KEYS[1]) ~= ARGV[3] then return 0 end
  local size = tonumber(ARGV[4])
  for i = 5, #ARGV, size do
    redis.call('XADD', KEYS[1], unpack(ARGV, i, i + size - 1))
  end
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 1`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/** An entry: its id, then names and values in turn. Every entry of a stream has the same names. */
export type StreamEntry = readonly [id: string, ...fields: string[]];

/** A Redis stream to which one instance at a time appends. */
export class RedisStream {
  private readonly lease: string;

  /** `instance` names the sender. */
  static async at(url: string, key: string, instance: string): Promise<RedisStream> {
    const redis = await openRedis(url, { commandTimeout: COMMAND_TIMEOUT_MS });
    // The sender reports what fails.
    redis.on('error', () => {});
    return new RedisStream(redis, key, instance);
  }

  private constructor(
    private readonly redis: Redis,
    private readonly key: string,
    private readonly instance: string,
  ) {
    this.lease = `${key}:sender`;
  }

  /**
   * Makes this instance the sender, or extends that.
   * @returns the id of the last entry; null while another instance is the sender
   */
  async claim(): Promise<string | null> {
    if (this.redis.status === 'wait') await this.redis.connect();
    return (await this.redis.eval(CLAIM, 2, this.key, this.lease, this.instance, LEASE_MS)) as string | null;
  }

  /**
   * Appends entries after the entry `last`.
   * @returns false when another instance has become the sender, or the stream ends elsewhere, for example because Redis
   * lost it. Nothing was appended then
   */
  async append(last: string, entries: readonly StreamEntry[]): Promise<boolean> {
    const size = entries[0]?.length ?? 0;
    const added = await this.redis.eval(
      APPEND,
      2,
      this.key,
      this.lease,
      this.instance,
      LEASE_MS,
      last,
      size,
      ...entries.flat(),
    );
    return added === 1;
  }

  /** Removes the entries from the beginning of the stream until `isKept` returns true for the names and values of one. */
  async trim(isKept: (fields: readonly string[]) => boolean): Promise<void> {
    let found: [id: string, fields: string[]][];
    do {
      found = await this.redis.xrange(this.key, '-', '+', 'COUNT', TRIMMED_AT_ONCE);
      const kept = found.findIndex(([, fields]) => isKept(fields));
      if (kept === 0 || found.length === 0) return;
      const [end] = (kept < 0 ? found.at(-1) : found[kept]) as [string, string[]];
      await this.redis.xtrim(this.key, 'MINID', end);
      if (kept < 0) await this.redis.xdel(this.key, end);
      if (kept > 0) return;
    } while (found.length === TRIMMED_AT_ONCE);
  }

  /** Lets another instance become the sender at once, and ends the connection. */
  async close(): Promise<void> {
    try {
      if (this.redis.status === 'ready') await this.redis.eval(RELEASE, 1, this.lease, this.instance);
    } finally {
      this.redis.disconnect();
    }
  }
}
