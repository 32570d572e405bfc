import { rm } from 'node:fs/promises';
import pg from 'pg';

export default async function tearDown() {
  const { embedded, dataDir, server, template } = globalThis.testDatabase;
  if (embedded) {
    await embedded.leave();
    await rm(dataDir, { recursive: true });
    return;
  }
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`DROP DATABASE IF EXISTS ${template}`);
  await client.end();
}
