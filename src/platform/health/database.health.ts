import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import pg from 'pg';
import type { DataSource } from 'typeorm';
import { requestContext } from '../../common/context/request-context.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { poolOf } from '../database/database.module.js';
import { NotificationsService } from '../database/listen/notifications.service.js';
import { WriteAccessMonitor } from '../database/listen/write-access.monitor.js';
import type { CheckResult } from './health-report.js';

/** The age beyond which a heartbeat no longer proves anything. */
const FRESH_MS = 2000;
/** A database that takes longer than this to answer is of no use to requests. */
const TIMEOUT_MS = 2000;
/** Probes time out after one second by default, so they must get an answer sooner. */
const PROBE_TIMEOUT_MS = 800;
/** The database is asked at most once in this time, however many probes arrive. */
const CHECK_EVERY_MS = 1000;
const IDLE_MS = 5000;

/**
 * Tells whether the database answers and accepts writes. The heartbeat of `NotificationsService` proves it without a
 * query. If the heartbeat uses another path than the pool, or does not arrive, the check queries over a
 * separate connection. It does so at most once a second for all callers, because the pool's connections
 * belong to requests.
 */
@Injectable()
export class DatabaseHealth implements OnApplicationShutdown {
  private readonly connection: pg.Pool;
  private readonly heartbeatTellsOfPool: boolean;
  private check: { readonly at: number; readonly result: Promise<CheckResult> } | null = null;

  constructor(
    @InjectConfig() { DATABASE_URL, LISTEN_DATABASE_URL }: Config,
    @InjectDataSource() dataSource: DataSource,
    private readonly notifications: NotificationsService,
    private readonly writeAccess: WriteAccessMonitor,
  ) {
    this.heartbeatTellsOfPool = (LISTEN_DATABASE_URL ?? DATABASE_URL) === DATABASE_URL;
    const { options } = poolOf(dataSource);
    this.connection = new pg.Pool({
      ...options,
      // The pool makes the password non-enumerable, so the spread omits it.
      password: options.password,
      max: 1,
      min: 0,
      idleTimeoutMillis: IDLE_MS,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
    });
    this.connection.on('error', () => {});
  }

  async onApplicationShutdown(): Promise<void> {
    await this.connection.end();
  }

  /**
   * Checks the database. The result gives few reasons, because anyone may read it and failures name hosts and
   * databases.
   */
  probe(): Promise<CheckResult> {
    // Most of the service's work writes: sign-ins, and every entry of the audit log.
    if (!this.writeAccess.granted) return Promise.resolve({ status: 'down', reason: 'read-only' });
    const { ageMs, roundTripMs } = this.notifications.lease;
    if (this.heartbeatTellsOfPool && ageMs <= FRESH_MS) {
      return Promise.resolve({ status: 'up', responseTime: Math.round(roundTripMs) });
    }
    const now = performance.now();
    if (this.check === null || now - this.check.at >= CHECK_EVERY_MS) {
      this.check = { at: now, result: requestContext.leave(() => this.queryDatabase()) };
    }
    return withinProbeTimeout(this.check.result);
  }

  private async queryDatabase(): Promise<CheckResult> {
    const began = performance.now();
    try {
      await this.connection.query('SELECT 1');
      return { status: 'up', responseTime: Math.round(performance.now() - began) };
    } catch {
      return { status: 'down' };
    }
  }
}

function withinProbeTimeout(result: Promise<CheckResult>): Promise<CheckResult> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ status: 'down' }), PROBE_TIMEOUT_MS);
    void result.then(resolve).finally(() => clearTimeout(timer));
  });
}
