import { Injectable, Logger } from '@nestjs/common';
import type { Response } from 'express';
import PQueue from 'p-queue';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.js';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { unauthorized } from '../../common/http/bearer.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { toAppError } from '../../platform/http/error-answer.js';
import { Lifecycle } from '../../platform/lifecycle/lifecycle.js';
import { PrincipalsService } from '../auth/principals.service.js';
import { ExportConnection, type Sending } from './export-connection.js';
import { Outlet } from './outlet.js';
import type { Piece, RowSource } from './row-source.js';
import { tooOld } from './too-old.js';

/** Of the connections to the database, for reading of all exports together: a request always finds one. */
const SHARE_OF_POOL = 3;
const MAX_READING = 3;
/** Rows that all connections together may hold read and not yet sent, and one in any case. */
const ROWS_TOGETHER = 20_000;
const ROWS_AT_LEAST = 250;
const LOOK_EVERY_MS = 1000;
const RETRY_AFTER_SECONDS = '5';
/** Why a connection ends when nobody is left to be told. */
const LEFT = Symbol('the reader has left');

export const COUNT_TRAILER = 'X-Export-Count';
export const HASH_TRAILER = 'X-Export-Sha256';

/** For whom an export is sent, and what they have to go on holding. */
export interface Reader {
  readonly caller: Principal;
  readonly needs: readonly Permission[];
  /** In milliseconds: until what is exported cannot be told any more. */
  readonly msLeft: number;
}

/** The exports that this instance is sending: their number, their turns at the database, and their ends. */
@Injectable()
export class ExportConnections {
  /** A comment this often keeps an idle line open. */
  keepAliveMs = 30_000;
  private readonly logger = new Logger(ExportConnections.name);
  private readonly reading: PQueue;
  private open = 0;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly principals: PrincipalsService,
    private readonly lifecycle: Lifecycle,
  ) {
    const share = Math.floor(config.DB_POOL_MAX / SHARE_OF_POOL);
    this.reading = new PQueue({ concurrency: Math.min(Math.max(share, 1), MAX_READING) });
  }

  get rowsEach(): number {
    return Math.max(ROWS_AT_LEAST, Math.floor(ROWS_TOGETHER / Math.max(this.open, 1)));
  }

  /** Takes a place until the response is closed. @throws AppError `OVERLOADED` when there is none */
  enter(response: Response): void {
    if (this.open >= this.config.EXPORT_CONCURRENCY) {
      throw new AppError('OVERLOADED', { headers: { 'Retry-After': RETRY_AFTER_SECONDS } });
    }
    this.open++;
    response.once('close', () => this.open--);
  }

  /** Begins to send, and returns; from here on only the connection ends it, not the time limit of requests. */
  start(response: Response, sending: Sending, reader: Reader): void {
    const context = requestContext.current();
    if (!context) throw new Error('an export is sent within a request');
    if (response.closed) return;
    const end = new AbortController();
    const { requestId } = context;
    requestContext.run({ ...context, signal: end.signal }, () => {
      const outlet = new Outlet(response, end.signal);
      const stopWatching = this.watch(reader, end);
      // Also when the reader closes its half alone: Node lets nobody go on reading then.
      response.once('close', () => {
        stopWatching();
        end.abort(LEFT);
      });
      const keepAlive = setInterval(() => {
        if (!outlet.isFull) outlet.write(sending.format.keepAlive);
      }, this.keepAliveMs);
      this.send(response, outlet, sending)
        .catch((thrown: unknown) => {
          const error = this.toldError(end.signal.aborted ? end.signal.reason : thrown);
          outlet.close(error && sending.format.error(error, requestId));
        })
        .finally(() => clearInterval(keepAlive));
    });
  }

  /** Pieces of all exports in turn, a few at once. */
  read(source: RowSource, after: string, rows: number): Promise<Piece> {
    const context = requestContext.current();
    const read = (): Promise<Piece> => {
      context?.signal.throwIfAborted();
      return source.read(after, rows);
    };
    // The queue runs it in the context of whoever left it last.
    return this.reading.add(() => (context ? requestContext.run(context, read) : read()));
  }

  private async send(response: Response, outlet: Outlet, sending: Sending): Promise<void> {
    response.flushHeaders();
    const completion = await new ExportConnection(outlet, sending, this).send();
    if (sending.format.encoding === 'csv') {
      response.addTrailers({ [COUNT_TRAILER]: String(completion.count), [HASH_TRAILER]: completion.sha256 });
    }
    response.end(sending.format.complete(completion));
  }

  /** Ends it when the reader loses the right, when it gets too old, and when the service stops. */
  private watch(reader: Reader, end: AbortController): () => void {
    const stop = () =>
      end.abort(new AppError('OVERLOADED', { message: 'The service is stopping: go on elsewhere' }));
    const { stopping } = this.lifecycle;
    stopping.addEventListener('abort', stop);
    if (stopping.aborted) stop();
    const until = performance.now() + reader.msLeft;
    const look = setInterval(() => {
      void this.findFault(reader, until).then((fault) => fault && end.abort(fault));
    }, LOOK_EVERY_MS);
    return () => {
      stopping.removeEventListener('abort', stop);
      clearInterval(look);
    };
  }

  /** Costs no query for a caller who was seen lately. */
  private async findFault({ caller, needs }: Reader, until: number): Promise<unknown> {
    if (performance.now() > until) return tooOld();
    try {
      const principal = await this.principals.find(caller.userId, caller.sessionId);
      if (!principal) return unauthorized(true);
      return needs.every((permission) => principal.permissions.has(permission))
        ? null
        : new AppError('FORBIDDEN');
    } catch (error) {
      return error;
    }
  }

  /** Null when nobody is there to be told. */
  private toldError(why: unknown): AppError | null {
    if (why === LEFT) return null;
    const error = toAppError(why);
    if (error.status >= 500 && error.code !== 'OVERLOADED') this.logger.error(why, 'an export broke off');
    return error;
  }
}
