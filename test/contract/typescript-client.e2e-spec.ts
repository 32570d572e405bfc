import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'puppeteer-core';
import { Webhook } from 'standardwebhooks';
import { launchBrowser, noChromium } from '../support/app/browser.js';
import { ADMIN, PASSWORD, TestApp } from '../support/app/test-app.js';
import { TourServer } from '../support/app/tour-server.js';
import { wherePossible } from '../support/app/where-possible.js';
import { addRows } from '../support/builders/export-rows.js';
import { TcpProxy } from '../support/faults/tcp-proxy.js';

/** The time in ms for a generator, compilers and a browser, on a busy machine. */
const TIMEOUT_MS = 180_000;
const CLIENT = 'clients/typescript';
const ROWS = 20_000;
const SEARCH = 'row ';
/** Matches 111 names: 199, 1990 to 1999, and 19900 to 19999. */
const LISTED = { search: 'row 199', count: 111 } as const;
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    // The declarations of the package must be right under the strictest settings of its users.
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable', 'dom.asynciterable'],
    types: [],
    rootDir: '.',
  },
  include: ['*.ts'],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-client-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a program with the Node.js of this process, without a network. @throws with its output when it fails */
async function run(cwd: string, program: string, ...args: readonly string[]): Promise<string> {
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  const env = {
    PATH: path,
    HOME: folder,
    npm_config_offline: 'true',
    npm_config_cache: join(folder, 'cache'),
  };
  try {
    return (await promisify(execFile)(program, args, { cwd, env, maxBuffer: 16 * 1024 * 1024 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

describe('the generated part of the TypeScript client', () => {
  it(
    'is what the OpenAPI document gives (fix: `npm run client:generate`)',
    async () => {
      const output = join(folder, 'generated');
      await run('.', process.execPath, 'scripts/generate-client.mjs', '--output', output);
      expect(await filesIn(`${CLIENT}/src/generated`)).toEqual(await filesIn(output));
    },
    TIMEOUT_MS,
  );
});

async function filesIn(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path.slice(root.length), await readFile(path, 'utf8')] as const;
  });
  return Object.fromEntries(await Promise.all(texts));
}

/** The names that the examples of the README use and do not explain. */
const GIVEN = {
  gatehouse: 'import("@gatehouse/client").Gatehouse',
  request: 'Request',
  file: 'Blob',
  rows: 'import("@gatehouse/client").ImportRowDto[]',
  ...Object.fromEntries(
    ['baseUrl', 'email', 'id', 'name', 'password', 'position', 'secret'].map((name) => [name, 'string']),
  ),
  ...Object.fromEntries(
    ['handle', 'save', 'showFields', 'showTaken'].map((name) => [name, '(value?: unknown) => unknown']),
  ),
};

/** Returns each TypeScript example of a page as a module. */
async function examplesOf(page: string): Promise<string[]> {
  const blocks = [...(await readFile(page, 'utf8')).matchAll(/^```ts\n(.*?)^```$/gms)];
  return blocks.map(([, code = '']) => {
    const given = Object.entries(GIVEN).filter(([name]) => !code.includes(`const ${name} =`));
    return [...given.map(([name, type]) => `declare let ${name}: ${type};`), code, 'export {};'].join('\n');
  });
}

describe('the packed TypeScript client', () => {
  let server: TourServer;
  let app: TestApp;
  let proxy: TcpProxy;
  beforeAll(async () => {
    server = await TourServer.start();
    app = await TestApp.create({ config: { CORS_ORIGINS: [server.origin] } });
    await addRows(app.database, ROWS);
    proxy = await TcpProxy.before(app.url);
    server.folder = folder;
    server.onCut = async () => {
      await proxy.cut();
      await proxy.restore();
    };
    await install();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await server?.stop();
    await proxy?.cut();
    await app?.close();
  });

  /** Packs the client, installs it into an empty project, and compiles the tour against it. */
  async function install(): Promise<void> {
    await run(CLIENT, 'npm', 'pack', '--silent', '--pack-destination', folder);
    const [tarball = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await run(folder, 'npm', 'install', '--no-audit', '--no-fund', `./${tarball}`);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
    await copyFile('test/support/clients/package.tour.ts', join(folder, 'tour.ts'));
    for (const [index, example] of (await examplesOf(`${CLIENT}/README.md`)).entries())
      await writeFile(join(folder, `example-${index}.ts`), example);
    await run(folder, process.execPath, resolve('node_modules/typescript/bin/tsc'), '--project', '.');
  }

  const tourOf = (name: string) => ({
    baseUrl: proxy.through(app.url).replace(/\/$/, ''),
    person: { email: `${name}@clients.example`, password: PASSWORD, name: 'Tourist' },
    admin: ADMIN,
    rows: [1, 2].map((n) => ({ email: `${name}-${n}@imported.example`, name: `Imported ${n}` })),
    search: SEARCH,
    listed: LISTED.search,
    cut: `${server.origin}/cut`,
    message: signedMessage(),
    secret: SECRET,
  });

  const toldOf = (name: string) => ({
    me: `${name}@clients.example`,
    taken: 'GatehouseError CONFLICT',
    refused: 'GatehouseError FORBIDDEN',
    job: 'succeeded',
    imported: 2,
    listed: LISTED.count,
    listedTwice: 0,
    exported: ROWS,
    exportedTwice: 0,
    isResumed: true,
    ownEvents: ['user.created', 'session.started'],
    event: 'user.created',
    forgery: 'WebhookVerificationError',
    after: 'GatehouseError UNAUTHORIZED',
    isSignedIn: false,
  });

  it('has the version of the service and depends on no other package', async () => {
    const manifest = JSON.parse(
      await readFile(join(folder, 'node_modules/@gatehouse/client/package.json'), 'utf8'),
    ) as Record<string, unknown>;
    const service = JSON.parse(await readFile('package.json', 'utf8')) as Record<string, unknown>;
    expect(manifest['version']).toBe(service['version']);
    expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
    expect(await readdir(join(folder, 'node_modules/@gatehouse/client'))).toEqual([
      'LICENSE',
      'README.md',
      'dist',
      'package.json',
    ]);
  });

  it(
    'compiles under tsc --strict and takes a tour of the service in Node.js',
    async () => {
      const program = `const { takeTour } = await import('./tour.js');
        console.log(JSON.stringify(await takeTour(${JSON.stringify(tourOf('node'))})));`;
      const told = await run(folder, process.execPath, '--input-type=module', '--eval', program);
      expect(JSON.parse(told)).toEqual(toldOf('node'));
    },
    TIMEOUT_MS,
  );

  wherePossible(noChromium, 'the TypeScript client in Chromium', () => {
    let browser: Browser;
    /** The tabs that have sent a refresh token. */
    const renewing = new Set<Page>();
    beforeAll(async () => {
      browser = await launchBrowser();
    }, TIMEOUT_MS);
    afterAll(() => browser?.close());

    async function openTab(): Promise<Page> {
      const page = await browser.newPage();
      page.on('request', (request) => {
        if (request.method() === 'POST' && request.url().endsWith('/auth/refresh')) renewing.add(page);
      });
      await page.goto(server.origin);
      return page;
    }
    const evaluate = (page: Page, expression: string) =>
      page.evaluate(`import('/tour.js').then((tour) => ${expression})`);

    it(
      'takes the same tour in Chromium, from another origin',
      async () => {
        const page = await openTab();
        const told = await evaluate(page, `tour.takeTour(${JSON.stringify(tourOf('chromium'))})`);
        expect(told).toEqual(toldOf('chromium'));
        await page.close();
      },
      TIMEOUT_MS,
    );

    it(
      'renews the tokens in one tab of Chromium when two need them at the same time',
      async () => {
        const tour = tourOf('tabs');
        const tabs = [await openTab(), await openTab()] as const;
        await evaluate(tabs[0], `tour.signUp(${JSON.stringify(tour)}).then(() => null)`);
        await tabs[0].evaluate(`{
          const tokens = JSON.parse(localStorage.getItem('gatehouse.tokens'));
          localStorage.setItem('gatehouse.tokens', JSON.stringify({ ...tokens, renewAt: 0 }));
        }`);
        renewing.clear();
        const readName = `tour.openTab(${JSON.stringify(tour.baseUrl)}).api.readMe().then(({ data }) => data.name)`;
        // Without the lock, the second tab would not see the new tokens in time.
        proxy.slow(300);
        const names = await Promise.all(tabs.map((tab) => evaluate(tab, readName)));
        proxy.slow(0);
        expect(names).toEqual(['Tourist', 'Tourist']);
        // On a slow machine the tab may have sent it twice.
        expect(renewing.size).toBe(1);
      },
      TIMEOUT_MS,
    );
  });
});

/** Signs a message as Gatehouse does, with the library that receivers use. */
function signedMessage() {
  const now = new Date();
  const body = JSON.stringify({ specversion: '1.0', type: 'user.created', subject: 'ada' });
  const signature = new Webhook(SECRET).sign('msg_1', now, body);
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': timestamp, 'webhook-signature': signature };
  return { body, headers };
}
