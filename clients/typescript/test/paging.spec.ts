import { afterEach, describe, expect, it } from '@jest/globals';
import { Gatehouse, items, pages } from '../src/index.js';
import { type Answer, ScriptedServer, sendJson } from './scripted-server.js';

let server: ScriptedServer;
afterEach(() => server.stop());

async function start(answer: Answer): Promise<Gatehouse> {
  server = await ScriptedServer.start(answer);
  return new Gatehouse({ baseUrl: server.url });
}

const threePages: Answer = (_, response, count) => {
  const next = `</api/users?status=active&cursor=c${count + 1}>; rel="next"`;
  sendJson(response, 200, [{ id: `${count}-a` }, { id: `${count}-b` }], count < 2 ? { Link: next } : {});
};

describe('a list', () => {
  it('yields the rows of all pages, which it asks for with the same filters', async () => {
    const { api } = await start(threePages);
    const ids: string[] = [];
    for await (const { id } of items((next) => api.listUsers({ query: { status: 'active', ...next } })))
      ids.push(id);
    expect(ids).toEqual(['0-a', '0-b', '1-a', '1-b', '2-a', '2-b']);
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/api/users?status=active',
      '/api/users?status=active&cursor=c1',
      '/api/users?status=active&cursor=c2',
    ]);
  });

  it('asks for no page that nobody reads', async () => {
    const { api } = await start(threePages);
    for await (const { response, data } of pages((query) => api.listUsers({ query }))) {
      expect([response.status, data.length]).toEqual([200, 2]);
      break;
    }
    expect(server.requests).toHaveLength(1);
  });

  it('follows the positions of events', async () => {
    const { api } = await start((_, response, count) =>
      sendJson(response, 200, [], count === 0 ? { Link: '</api/events?after=7>; rel="next"' } : {}),
    );
    for await (const _ of items((query) => api.listEvents({ query }))) throw new Error('a row of no page');
    expect(server.requests.at(-1)?.path).toBe('/api/events?after=7');
  });

  it('fails instead of reading the same page for ever', async () => {
    const { api } = await start((_, response) =>
      sendJson(response, 200, [{}], { Link: '</api/users?cursor=c>; rel="next"' }),
    );
    const read = async () => {
      for await (const _ of items((query) => api.listUsers({ query }))) continue;
    };
    await expect(read()).rejects.toMatchObject({ code: 'UNEXPECTED_RESPONSE' });
    expect(server.requests).toHaveLength(2);
  });
});
