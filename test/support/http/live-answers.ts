import { ADMIN, signIn } from '../app/test-app.js';
import { until } from '../app/until.js';
import type { Ask } from './ask.js';

/** Requests the streams of events, which end here with a session of their own. */
export async function askAboutStreams(ask: Ask, url: string): Promise<void> {
  await ask('POST /api/notifications/tickets');
  await ask('POST /api/notifications/tickets', { token: undefined });
  for (const operation of ['GET /api/events/stream', 'GET /api/users/me/events/stream']) {
    const { token } = await signIn(url, ADMIN.email, ADMIN.password);
    const stream = ask(operation, { token });
    await until(async () => /^event_streams_open\{kind="sse"\} 1$/m.test(await metricsOf(url)));
    await ask('POST /api/auth/logout', { token });
    await stream;
    await ask(operation, { headers: { 'Last-Event-ID': 'nothing' } });
    await ask(operation, { token: undefined });
  }
}

const metricsOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();
