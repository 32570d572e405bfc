/** The filters of a query, in the values that the audit log stores. */
export interface AuditFilters {
  readonly actorId?: string | undefined;
  readonly targetId?: string | undefined;
  /** The user who acted or was acted on. Null stands for a user who does not exist, who has no entries. */
  readonly userId?: string | null | undefined;
  /** Distinct actions. All actions without them. */
  readonly actions?: readonly string[] | undefined;
  /** The digests of an IP address, one for each of its users. Empty for an address that nobody used. */
  readonly ipDigests?: readonly Buffer[] | undefined;
  readonly outcome?: string | undefined;
  /** The time range. `from` is inclusive, `to` exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Filters with their spelling in a cursor, which holds only for the same filters. */
export interface ResolvedFilters {
  readonly filters: AuditFilters;
  readonly scope: Readonly<Record<string, string | undefined>>;
}
