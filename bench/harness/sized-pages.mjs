// Pages of a list of a big table beside the first page of a small one.

import { startService } from './service.mjs';
import { median, quantile } from './statistics.mjs';
import { table } from './table.mjs';

const WARM_UP = 100;
const QUICK_WARM_UP = 5;

/**
 * A page to measure.
 * @typedef {object} PageQuery
 * @property {string} label
 * @property {number | string} found how many rows the filter finds
 * @property {string} group pages of one group make one row
 * @property {URLSearchParams} query
 * @property {URLSearchParams} [smallQuery] the query to the small table if it is another
 *
 * @typedef {PageQuery & { base: number[], small: number[], big: number[], ratio: number }} MeasuredPage
 */

/** Two services, one on each database. */
export class SizedPages {
  #path;
  #repetitions;
  #sides = [];

  /**
   * @param {string} path
   * @param {{ repetitions: number }} options
   */
  constructor(path, { repetitions }) {
    this.#path = path;
    this.#repetitions = repetitions;
  }

  /**
   * @param {import('./database.mjs').Database} small
   * @param {import('./database.mjs').Database} big
   */
  async open(small, big) {
    for (const { environment } of [small, big]) {
      const service = await startService(environment);
      this.#sides.push({ service });
      this.#sides.at(-1).token = await service.signInAdmin();
    }
  }

  /** Requests a page of the big table. */
  page(query) {
    return this.#get(this.#sides[1], query);
  }

  #get({ service, token }, query) {
    return service.client.expect(200, 'GET', `${this.#path}?${query}`, { token });
  }

  /**
   * Requests the first page of the small table, then the page of the small and of the big table, in turns, so that
   * other load affects all three alike.
   * @param {readonly PageQuery[]} pages
   * @returns {Promise<MeasuredPage[]>}
   */
  async measure(pages, { quick }) {
    const [small, big] = this.#sides;
    for (const [place, side] of this.#sides.entries()) {
      for (let i = 0; i < (quick ? QUICK_WARM_UP : WARM_UP); i++) await this.#get(side, '');
      for (const { query, smallQuery = query } of pages)
        await this.#get(side, place === 0 ? smallQuery : query);
    }
    const measured = [];
    for (const page of pages) {
      const { query, smallQuery = query } = page;
      const times = { base: [], small: [], big: [] };
      await this.#get(big, query);
      for (let i = 0; i < this.#repetitions; i++) {
        times.base.push((await this.#get(small, '')).ms);
        times.small.push((await this.#get(small, smallQuery)).ms);
        times.big.push((await this.#get(big, query)).ms);
      }
      measured.push({ ...page, ...times, ratio: median(times.big) / median(times.base) });
    }
    return measured;
  }

  /**
   * Reports one row for each group: the worst of its pages, and the range of all.
   * @param {readonly MeasuredPage[]} measured
   * @param {{ report: import('./report.mjs').Report, targetId: string }} options
   */
  report(measured, { report, targetId }) {
    for (const [group, pages] of Map.groupBy(measured, (page) => page.group)) {
      const ratios = pages.map(({ ratio }) => ratio);
      const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
      const found = pages[0].found === '' ? '' : `, ${pages[0].found} found`;
      const measure = { value: high, low, high };
      report.row({ id: `${targetId}.${group}`, targetId, name: `${group}${found}`, unit: '×', measure });
    }
    const cells = measured.map(({ label, found, base, small, big, ratio }) => {
      const times = [median(base), median(small), median(big), quantile(big, 0.95)];
      return [label, found, ...times.map((ms) => ms.toFixed(2)), ratio.toFixed(2)];
    });
    const head = ['page', 'found', 'first page, small, ms', 'small', 'big', 'big p95', 'ratio'];
    report.text(table([head, ...cells]));
  }

  async close() {
    for (const { service } of this.#sides) await service.stop();
  }
}
