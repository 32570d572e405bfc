/** The filters of a query, in the values that the audit log stores. */
export interface AuditFilters {
  readonly actorId?: string | undefined;
  readonly targetId?: string | undefined;
  /** The user who acted or was acted on. Null stands for a user who does not exist, who has no entries. */
  readonly userId?: string | null | undefined;
  /** Distinct actions; undefined for all actions. */
  readonly actions?: readonly string[] | undefined;
  /** The digests of an IP address, one for each of its users. Empty for an address without users. */
  readonly ipDigests?: readonly Buffer[] | undefined;
  readonly outcome?: string | undefined;
  /** The time range. `from` is inclusive, `to` exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Filters, and the scope of their cursors. A cursor is valid only in the same scope. */
export interface ResolvedFilters {
  readonly filters: AuditFilters;
  readonly scope: Readonly<Record<string, string | undefined>>;
}
