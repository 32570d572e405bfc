import pg from 'pg';
import { until } from '../app/until.js';

async function connect(url: string): Promise<{ client: pg.Client; ended: Promise<void> }> {
  const client = new pg.Client({ connectionString: url });
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  client.on('error', () => {});
  await client.connect();
  return { client, ended };
}

async function accepts(url: string): Promise<boolean> {
  try {
    await (await connect(url)).client.end();
    return true;
  } catch {
    return false;
  }
}

/** Kills one backend with -9. PostgreSQL then ends all others and recovers as after a crash. */
export async function crashDatabase(url: string): Promise<void> {
  const [victim, witness] = [await connect(url), await connect(url)];
  const { rows } = await victim.client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  // The test server commits asynchronously, and no test of a crash is about lost commits.
  await victim.client.query('CHECKPOINT');
  process.kill(rows[0]?.pid ?? 0, 'SIGKILL');
  // The other backends end a moment later; until then the service could still get answers.
  await Promise.all([victim.ended, witness.ended]);
  await until(() => accepts(url), 60_000, 'the server is back');
}
