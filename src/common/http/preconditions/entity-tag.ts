/** A record with an entity tag: its id, unique name or key, and its version. */
export type VersionedRecord = { readonly version: number } & (
  { readonly id: string } | { readonly name: string } | { readonly key: string }
);

/** Returns the strong entity tag (RFC 9110, 8.8.3) of a record. Two records never share one. */
export const entityTag = (record: VersionedRecord): string => `"${identifierOf(record)}.${record.version}"`;

function identifierOf(record: VersionedRecord): string {
  if ('id' in record) return record.id;
  return 'name' in record ? record.name : record.key;
}

/**
 * Matches a list of entity tags (RFC 9110, 8.8.3). Node.js decodes bytes above 0x7f as the characters with
 * those numbers.
 */
const TAG_LIST = /^[ \t,]*(?:(?:W\/)?"[!#-~\x80-\xff]*"[ \t]*(?:$|,[ \t,]*))*$/;
const TAG = /(?:W\/)?"[!#-~\x80-\xff]*"/g;

/** The value of an `If-Match` or `If-None-Match` header. */
export class TagCondition {
  private constructor(
    private readonly tags: ReadonlySet<string> | 'any',
    /** True when the header breaks the grammar. Such a condition matches nothing. */
    readonly malformed: boolean,
  ) {}

  /** Parses the header. Returns null when it was not sent. */
  static parse(header: string | undefined): TagCondition | null {
    if (header === undefined) return null;
    if (header.trim() === '*') return new TagCondition('any', false);
    if (!TAG_LIST.test(header)) return new TagCondition(new Set(), true);
    return new TagCondition(new Set(header.match(TAG)), false);
  }

  /**
   * Compares strongly (RFC 9110, 8.8.3.2): a weak tag never matches. `null` stands for a record that does not
   * exist.
   */
  matchesStrongly(tag: string | null): boolean {
    if (tag === null) return false;
    return this.tags === 'any' || this.tags.has(tag);
  }

  /** Compares weakly. `null` stands for a record that does not exist. */
  matchesWeakly(tag: string | null): boolean {
    if (tag === null) return false;
    return this.tags === 'any' || this.tags.has(tag) || this.tags.has(`W/${tag}`);
  }
}
