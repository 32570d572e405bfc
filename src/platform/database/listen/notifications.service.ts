import { randomUUID } from 'node:crypto';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { requestContext } from '../../../common/context/request-context.js';
import { type ServerConnection, connectionOptions } from '../driver/connections/connection-options.js';
import { APPLICATION_NAME } from '../driver/data-source.js';
import { isReadOnly } from '../database.errors.js';
import { Lease } from './lease.js';
import { SqlRunner } from '../sql.runner.js';
import { WriteAccessMonitor } from './write-access.monitor.js';
import { BackgroundLogger } from '../../logging/background.logger.js';

const HEARTBEAT_INTERVAL_MS = 250;
const LEASE_MS = 1000;
/** A heartbeat that has not returned by then never will, so the connection is replaced. */
const HEARTBEAT_TIMEOUT_MS = 5000;
const RECONNECT_AFTER_MS = 250;
/** Short, because a lost SYN is repeated only after a second; a new attempt gets through sooner. */
const RECONNECT_TIMEOUT_MS = 1500;
/**
 * The read-only time after which a new session is tried, because a session keeps its settings when those of
 * its role change.
 */
const READ_ONLY_RECONNECT_MS = 2000;
const PROOF_TIMEOUT_MS = 5000;
const FIRST_HEARTBEAT_TIMEOUT_MS = 5000;

const HEARTBEAT = `SELECT pg_notify($1, $2), current_setting('transaction_read_only') = 'off' AS writable`;

type Listener = (payload: string) => void;

/**
 * Receives the notifications of other instances on a separate connection that never opens a transaction.
 *
 * A connection can go deaf without an error (a frozen backend, a dead path). A heartbeat therefore circulates
 * on it continuously, and `lease` holds only while the heartbeat returns.
 *
 * Behind a pooler the heartbeat alone proves nothing: a session receives its own notifications before its own
 * statement ends, while the pooler still forwards them. Each connection must therefore first receive, while
 * idle, a notification sent through the pool. This also proves that both are connected to the same database.
 */
@Injectable()
export class NotificationsService implements OnModuleInit, OnModuleDestroy {
  readonly lease = new Lease(LEASE_MS);
  private readonly logger = new BackgroundLogger(NotificationsService.name);
  /** A channel of this instance alone, so that its heartbeats wake no other instance. */
  private readonly heartbeatChannel = `gatehouse_pulse_${randomUUID().replaceAll('-', '')}`;
  private readonly listeners = new Map<string, Listener>();
  private readonly onReconnect: (() => void)[] = [];
  private client: pg.Client | null = null;
  /** The notification from the pool that the current connection has to receive. */
  private proof = '';
  private proven = false;
  private timer: NodeJS.Timeout | undefined;
  private connectedAt = 0;
  private heardAt = 0;
  private writableAt = 0;
  private sendingHeartbeat = false;
  /** The end of the last statement on the connection. */
  private turn: Promise<void> = Promise.resolve();
  /** True from the loss of a connection until a new one receives notifications. */
  private lost = false;
  private stopped = false;

  private readonly server: ServerConnection;

  constructor(
    @InjectConfig() private readonly config: Config & { readonly DATABASE_URL: string },
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly writeAccess: WriteAccessMonitor,
    private readonly sql: SqlRunner,
  ) {
    this.server = connectionOptions(config.LISTEN_DATABASE_URL ?? config.DATABASE_URL);
  }

  /**
   * Subscribes to a channel. Must be called before the module is initialised. `lost` is called when
   * notifications may have been missed.
   */
  subscribe(channel: string, listener: Listener, lost: () => void): void {
    this.listeners.set(channel, listener);
    this.onReconnect.push(lost);
  }

  /** Notifies every instance, this one included, once the current unit of work commits. */
  async notify(channel: string, payload: string): Promise<void> {
    await this.sql.defer('SELECT pg_notify($1, $2)', [channel, payload]);
  }

  /**
   * Notifies every instance at once, outside of any transaction. The notification is lost while the connection is down, so
   * whoever relies on it must also look from time to time.
   */
  announce(channel: string): void {
    const { client } = this;
    // The heartbeat replaces a connection on which this fails.
    if (client) this.inTurn(() => client.query('SELECT pg_notify($1, $2)', [channel, ''])).catch(() => {});
  }

  async onModuleInit(): Promise<void> {
    await this.connect();
    this.timer = setInterval(() => void this.sendHeartbeat(), HEARTBEAT_INTERVAL_MS);
    await this.firstHeartbeat();
    if (!this.lease.isValid) {
      this.logger.warn(
        'Notifications do not arrive, so principals are loaded from the database on every request. If DATABASE_URL leads through a pooler, set LISTEN_DATABASE_URL',
      );
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.discard();
  }

  private async connect(): Promise<void> {
    const { Client, ...address } = this.server;
    const client = new Client({
      ...address,
      application_name: `${APPLICATION_NAME}:listen`,
      connectionTimeoutMillis: this.lost
        ? Math.min(this.config.DB_CONNECT_TIMEOUT_MS, RECONNECT_TIMEOUT_MS)
        : this.config.DB_CONNECT_TIMEOUT_MS,
      // Without this limit, a path that dies right after connecting would make the client wait forever.
      query_timeout: HEARTBEAT_TIMEOUT_MS,
    });
    // Without a listener, a broken connection would end the process. The heartbeat notices the break.
    client.on('error', () => this.lease.break());
    client.on('notification', ({ channel, payload }) => this.onNotification(channel, payload ?? ''));
    try {
      await client.connect();
      for (const channel of [this.heartbeatChannel, ...this.listeners.keys()])
        await client.query(`LISTEN ${channel}`);
      await this.sendProof();
    } catch (error) {
      // A standby refuses LISTEN.
      if (isReadOnly(error)) this.writeAccess.update(false);
      // Destroyed without a goodbye, because the server may never answer it.
      client.connection.stream.destroy();
      throw error;
    }
    this.client = client;
    if (this.stopped) return this.discard();
    this.connectedAt = performance.now();
    this.heardAt = this.connectedAt;
    // Notifications sent while the connection was down are lost, so anything cached until now may be stale.
    for (const lost of this.onReconnect) lost();
    void this.sendHeartbeat();
  }

  /**
   * Sends a notification through the pool. The idle listening connection receives it only if it has its own
   * server session.
   */
  private async sendProof(): Promise<void> {
    this.proven = false;
    this.proof = randomUUID();
    await requestContext.share(PROOF_TIMEOUT_MS, () =>
      new SqlRunner(this.dataSource).execute('SELECT pg_notify($1, $2)', [this.heartbeatChannel, this.proof]),
    );
  }

  private onNotification(channel: string, payload: string): void {
    if (channel !== this.heartbeatChannel) return this.listeners.get(channel)?.(payload);
    this.heardAt = performance.now();
    if (payload === this.proof) {
      this.proven = true;
      void this.sendHeartbeat();
    } else if (Number(payload) >= this.connectedAt) {
      this.lease.renew(Number(payload));
      if (this.lost) this.logger.warn('Notifications arrive again');
      this.lost = false;
    }
  }

  private async sendHeartbeat(): Promise<void> {
    const { client } = this;
    if (!client) return;
    const now = performance.now();
    if (now - this.heardAt > HEARTBEAT_TIMEOUT_MS) return this.reconnect();
    if (
      now - Math.max(this.writableAt, this.connectedAt) > READ_ONLY_RECONNECT_MS &&
      !this.writeAccess.granted
    ) {
      return this.reconnect();
    }
    if (this.sendingHeartbeat || !this.proven) return;
    this.sendingHeartbeat = true;
    try {
      const sentAt = String(performance.now());
      const { rows } = await this.inTurn(() =>
        client.query<{ writable: boolean }>(HEARTBEAT, [this.heartbeatChannel, sentAt]),
      );
      this.setWritable(rows[0]?.writable ?? false);
    } catch {
      if (this.client === client) await this.reconnect();
    } finally {
      this.sendingHeartbeat = false;
    }
  }

  /** Runs statements on the listening connection one after another, because the client no longer queues them. */
  private inTurn<T>(statement: () => Promise<T>): Promise<T> {
    const result = this.turn.then(statement);
    this.turn = settledOf(result);
    return result;
  }

  private setWritable(writable: boolean): void {
    if (writable !== this.writeAccess.granted) {
      this.logger.warn(writable ? 'The database accepts writes again' : 'The database is read-only');
    }
    this.writeAccess.update(writable);
    if (writable) this.writableAt = performance.now();
  }

  private async reconnect(): Promise<void> {
    await this.discard();
    if (!this.lost && !this.stopped) {
      this.logger.warn(
        'The listening connection was lost: principals are loaded from the database on every request',
      );
      this.lost = true;
    }
    while (!this.stopped) {
      try {
        return await this.connect();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_AFTER_MS));
      }
    }
  }

  private async discard(): Promise<void> {
    this.lease.break();
    const { client } = this;
    this.client = null;
    // A frozen backend never answers a goodbye.
    client?.connection.stream.destroy();
  }

  private async firstHeartbeat(): Promise<void> {
    const deadline = performance.now() + FIRST_HEARTBEAT_TIMEOUT_MS;
    while (!this.lease.isValid && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_INTERVAL_MS / 10));
    }
  }
}

/** Resolves when the promise has ended either way. */
async function settledOf(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}
