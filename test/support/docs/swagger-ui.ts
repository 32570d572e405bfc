import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';

/** The maximum wait in ms for something that Swagger UI shows, which takes seconds on a busy machine. */
const WAIT_MS = 60_000;
/** The maximum wait in ms for an answer. */
const ANSWER_MS = 20_000;

/** An operation as Swagger UI finds it. */
export interface ShownOperation {
  readonly tag: string;
  readonly operationId: string;
}

/** Swagger UI in a browser, used by clicks and keys as a person would. */
export class SwaggerUi {
  private isAuthorized = false;
  private shownTag: string | null = null;

  private constructor(
    private readonly page: Page,
    private readonly screenshots: string,
  ) {}

  /** Opens the documentation at that address. `screenshots` is the folder for pictures. */
  static async open(page: Page, url: string, screenshots: string): Promise<SwaggerUi> {
    mkdirSync(screenshots, { recursive: true });
    page.setDefaultTimeout(WAIT_MS);
    await page.goto(`${url}/docs`);
    await page.waitForSelector('.opblock');
    return new SwaggerUi(page, screenshots);
  }

  /** Enters the token under “Authorize”, in place of an earlier one. */
  async authorize(token: string): Promise<void> {
    const { page } = this;
    await page.click('.scheme-container .authorize');
    // The first form is that of the access token.
    const form = '.modal-ux .auth-container';
    if (this.isAuthorized) await (await find(page, `${form} button::-p-text(Logout)`)).click();
    await paste(page, await find(page, `${form} input`), token);
    await (await find(page, `${form} button.authorize`)).click();
    await find(page, `${form} button::-p-text(Logout)`);
    await page.click(`${form} .btn-done`);
    this.isAuthorized = true;
  }

  /**
   * Clicks “Try it out” and “Execute” with what the page prefills. With `typed`, types these path parameters and clicks
   * “Execute” again. Takes a picture of the last result.
   * @returns the status that the page shows for each, or its reason for sending nothing
   */
  async execute(
    operation: ShownOperation,
    typed: Readonly<Record<string, string>> | null = null,
  ): Promise<string[]> {
    await this.filter(operation.tag);
    const block = await find(this.page, `#operations-${operation.tag}-${operation.operationId}`);
    await (await find(block, '.opblock-summary-control')).click();
    await (await find(block, '.try-out__btn')).click();
    const statuses = [await send(block)];
    if (typed) {
      await (await find(block, '.btn-clear')).click();
      for (const [name, value] of Object.entries(typed)) {
        const input = await find(block, `tr[data-param-name="${name}"] input`);
        await input.click({ count: 3 });
        await paste(this.page, input, value);
      }
      statuses.push(await send(block));
    }
    const path = join(this.screenshots, `${operation.operationId}.png`);
    // Only what is in view, because a picture of a whole operation takes seconds.
    await this.page.screenshot({ path, captureBeyondViewport: false });
    await (await find(block, '.opblock-summary-control')).click();
    return statuses;
  }

  /** Shows the operations of one tag only, so that the page draws less. */
  private async filter(tag: string): Promise<void> {
    if (this.shownTag === tag) return;
    const input = await find(this.page, '.operation-filter-input');
    await input.click({ count: 3 });
    await paste(this.page, input, tag);
    this.shownTag = tag;
  }

  /** Returns the address of the server that requests go to. */
  async selectedServer(): Promise<string> {
    return String(await this.page.evaluate(`window.ui.oas3Selectors.selectedServer()`));
  }

  /** Returns the addresses of the links on the page. */
  async links(): Promise<readonly string[]> {
    return (await this.page.evaluate(
      `[...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))`,
    )) as string[];
  }
}

/** Clicks “Execute”, and returns the status that the page shows, or its reason for sending nothing. */
async function send(block: ElementHandle): Promise<string> {
  await (await find(block, '.btn.execute')).click();
  const shown = '.live-responses-table tbody .response-col_status, .validation-errors';
  const status = await block.waitForSelector(shown, { timeout: ANSWER_MS }).catch(() => null);
  await status?.scrollIntoView();
  return status ? textOf(status) : `no answer within ${ANSWER_MS} ms`;
}

/** Enters a text at once. For each key, Swagger UI would draw the whole page again. */
async function paste(page: Page, input: ElementHandle, text: string): Promise<void> {
  await input.focus();
  await page.keyboard.sendCharacter(text);
}

async function find(place: Page | ElementHandle, selector: string): Promise<ElementHandle> {
  const found = await place.waitForSelector(selector);
  if (!found) throw new Error(`${selector} is not on the page`);
  return found;
}

const textOf = async (element: ElementHandle): Promise<string> => {
  const property = await element.getProperty('textContent');
  return String(await property.jsonValue()).trim();
};
