import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser } from 'puppeteer-core';
import { launchBrowser } from '../app/browser.js';
import { Instance } from '../app/instance.js';
import { PASSWORD } from '../app/test-app.js';
import { TestDatabase } from '../database/test-database.js';
import { freePort } from '../http/free-port.js';
import { type Document, operationsOf } from './openapi-document.js';
import { type ShownOperation, SwaggerUi } from './swagger-ui.js';

/** The folder in which the pictures of routes remain after a run. */
const SCREENSHOTS = resolve('screenshots/swagger-ui');

/** A running service whose documentation a browser opens. */
export class DocumentedService {
  private constructor(
    private readonly database: TestDatabase,
    private readonly instance: Instance,
    private readonly browser: Browser,
    /** The address of `PUBLIC_URL`. `url` is another origin. */
    readonly publicUrl: string,
    private readonly operations: ReadonlyMap<string, ShownOperation>,
  ) {}

  /** Starts a service on a database of its own. The administrator has the password of the examples. */
  static async start(): Promise<DocumentedService> {
    const database = await TestDatabase.create();
    const port = await freePort();
    const publicUrl = `http://localhost:${port}`;
    const instance = await Instance.start({
      env: {
        ...database.addresses,
        LOG_LEVEL: 'silent',
        PORT: String(port),
        PUBLIC_URL: publicUrl,
        MAIL_DIR: mkdtempSync(join(tmpdir(), 'gatehouse-mail-')),
        ADMIN_PASSWORD: PASSWORD,
      },
    });
    const document = (await (await fetch(`${instance.url}/openapi.json`)).json()) as Document;
    const operations = operationsOf(document).map(
      ([name, { tags: [tag = ''] = [], operationId = '' }]) => [name, { tag, operationId }] as const,
    );
    return new DocumentedService(database, instance, await launchBrowser(), publicUrl, new Map(operations));
  }

  get url(): string {
    return this.instance.url;
  }

  /** The routes of the document, for example `GET /api/users`. */
  get routes(): readonly string[] {
    return [...this.operations.keys()];
  }

  /** Returns how the page shows a route. */
  shown(route: string): ShownOperation {
    const operation = this.operations.get(route);
    if (!operation) throw new Error(`${route} is not in the document`);
    return operation;
  }

  /** Opens the documentation in a window that shares nothing with others. */
  async open(url: string): Promise<SwaggerUi> {
    const context = await this.browser.createBrowserContext();
    return SwaggerUi.open(await context.newPage(), url, SCREENSHOTS);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.instance.stop();
    await this.database.drop();
  }
}
