import { resolve } from 'node:path';
import type { Config } from '../../../config/config.js';
import { type EmbeddedNotice, joinEmbeddedPostgres } from '../../embedded-postgres/embedded-postgres.js';

export interface OpenDatabase {
  /** The configuration with the database addresses filled in. */
  readonly config: Config & { readonly DATABASE_URL: string };
  /** True when the server is the embedded one on this machine. */
  readonly embedded: boolean;
  /**
   * Leaves the embedded server, which stops when its last instance leaves. Does nothing for an external
   * server.
   */
  readonly close: () => Promise<void>;
}

/**
 * Opens the server at `DATABASE_URL`, or else the embedded one under `DATA_DIR`, which reports to `notice`.
 */
export async function openDatabase(
  config: Config,
  notice: EmbeddedNotice = toTerminal,
): Promise<OpenDatabase> {
  const { DATABASE_URL } = config;
  if (DATABASE_URL !== undefined) {
    return { config: Object.freeze({ ...config, DATABASE_URL }), embedded: false, close: async () => {} };
  }
  const embedded = await joinEmbeddedPostgres({
    dataDir: resolve(config.DATA_DIR),
    notice,
  });
  const { url, ownerUrl } = embedded.urls;
  // Overrides PGSSLMODE, because the embedded server is local and has no certificate.
  const addresses = {
    DATABASE_URL: `${url}?sslmode=disable`,
    MIGRATION_DATABASE_URL: `${ownerUrl}?sslmode=disable`,
  };
  return {
    config: Object.freeze({ ...config, ...addresses }),
    embedded: true,
    close: () => embedded.leave(),
  };
}

/** Writes a notice to standard error for the person who started the process. */
const toTerminal: EmbeddedNotice = (message) => void process.stderr.write(`${message}\n`);
