import { rm } from 'node:fs/promises';
import pg from 'pg';

/** Undoes the setup, however far it came. */
export default async function tearDown() {
  const { compileCache, embedded, dataDir, server, template, roles = [] } = globalThis.testDatabase;
  try {
    if (embedded) await embedded.leave();
    else {
      if (template) await run(server, `DROP DATABASE IF EXISTS ${template}`);
      for (const role of roles) await run(server, `DROP ROLE ${role}`);
    }
  } finally {
    for (const folder of [dataDir, compileCache]) {
      if (folder) await rm(folder, { recursive: true, force: true });
    }
  }
}

export async function run(connectionString, sql) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
