import { resolve } from 'node:path';
import type { Config } from '../../config/config.js';
import { type EmbeddedNotice, joinEmbeddedPostgres } from './embedded/embedded-postgres.js';

export interface OpenDatabase {
  /** The configuration, with the addresses of the database in it. */
  readonly config: Config & { readonly DATABASE_URL: string };
  /** The server is one of our own, on this machine. */
  readonly embedded: boolean;
  /** Leaves the embedded server, which stops with the last instance that does; a given one is left alone. */
  readonly close: () => Promise<void>;
}

/** Opens the server of `DATABASE_URL`, else one of our own under `DATA_DIR`, which reports to `notice`. */
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
  // Whatever PGSSLMODE says: it is on this machine and has no certificate.
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

/** Tells the person who started the process. */
const toTerminal: EmbeddedNotice = (message) => void process.stderr.write(`${message}\n`);
