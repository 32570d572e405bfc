import { Injectable, Logger } from '@nestjs/common';
import type { Response } from 'express';
import PQueue from 'p-queue';
import type { Permission } from '../../../common/authorization/permissions.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { toAppError } from '../../../platform/http/answers/error-answer.js';
import { LifecycleService } from '../../../platform/lifecycle/lifecycle.service.js';
import { PrincipalsService } from '../../auth/principals/principals.service.js';
import { ExportMetrics } from '../export.metrics.js';
import { ExportStream, type ExportStreamOptions } from './export.stream.js';
import { ResponseWriter } from './response.writer.js';
import type { RowBatch, RowSource } from '../sources/row-source.types.js';
import { exportTooOld } from '../export-too-old.error.js';

/** The divisor of the pool size for reads of all exports together, so that a request always finds a connection. */
const SHARE_OF_POOL = 3;
const MAX_CONCURRENT_READS = 3;
/**
 * The number of rows that all connections together may have read and not yet sent. Each may hold
 * `MIN_ROWS` in any case.
 */
const MAX_BUFFERED_ROWS = 20_000;
const MIN_ROWS = 250;
const CHECK_INTERVAL_MS = 1000;
const RETRY_AFTER_SECONDS = '5';
/** The abort reason when the client has disconnected and no error can be sent. */
const CLIENT_GONE = Symbol('the reader has left');

export const COUNT_TRAILER = 'X-Export-Count';
export const HASH_TRAILER = 'X-Export-Sha256';

/** The caller of an export, and the permissions that the caller must keep. */
export interface ExportReader {
  readonly caller: Principal;
  readonly needs: readonly Permission[];
  /** The time in ms until the snapshot can no longer be read. */
  readonly msLeft: number;
}

/**
 * Manages the exports that this instance is sending: their number, their turns at the database, and their
 * end.
 */
@Injectable()
export class ExportStreams {
  /** The interval in ms of the comments that keep an idle connection open. */
  keepAliveMs = 30_000;
  private readonly logger = new Logger(ExportStreams.name);
  private readonly reading: PQueue;
  private open = 0;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly principals: PrincipalsService,
    private readonly lifecycle: LifecycleService,
    private readonly metrics: ExportMetrics,
  ) {
    const share = Math.floor(config.DB_POOL_MAX / SHARE_OF_POOL);
    this.reading = new PQueue({ concurrency: Math.min(Math.max(share, 1), MAX_CONCURRENT_READS) });
  }

  get rowsEach(): number {
    return Math.max(MIN_ROWS, Math.floor(MAX_BUFFERED_ROWS / Math.max(this.open, 1)));
  }

  /** Takes a slot until the response closes. @throws AppError `OVERLOADED` when none is free */
  reservePlace(response: Response): void {
    if (this.open >= this.config.EXPORT_CONCURRENCY) {
      throw new AppError('OVERLOADED', { headers: { 'Retry-After': RETRY_AFTER_SECONDS } });
    }
    this.metrics.showOpen(++this.open);
    response.once('close', () => this.metrics.showOpen(--this.open));
  }

  /**
   * Starts sending and returns. From then on only the connection ends the export, not the request time limit.
   */
  start(response: Response, sending: ExportStreamOptions, reader: ExportReader): void {
    const context = requestContext.current();
    if (!context) throw new Error('an export must be started within a request');
    if (response.closed) return;
    const end = new AbortController();
    const { requestId } = context;
    requestContext.run(requestContext.withSignal(context, end.signal), () => {
      const responseWriter = new ResponseWriter(response, end.signal);
      const stopWatching = this.watch(reader, end);
      // Also handles a client that closes only its half of the connection, because Node then delivers nothing
      // more to it.
      response.once('close', () => {
        stopWatching();
        end.abort(CLIENT_GONE);
      });
      const keepAlive = setInterval(() => {
        if (!responseWriter.isFull) responseWriter.write(sending.format.keepAlive);
      }, this.keepAliveMs);
      this.send(response, responseWriter, sending)
        .catch((thrown: unknown) => {
          const error = this.clientError(end.signal.aborted ? end.signal.reason : thrown);
          responseWriter.close(error && sending.format.error(error, requestId));
        })
        .finally(() => clearInterval(keepAlive));
    });
  }

  countRows(rows: number): void {
    this.metrics.sent(rows);
  }

  /** Reads batches of all exports in turn, with limited concurrency. */
  read(source: RowSource, after: string, rows: number): Promise<RowBatch> {
    const context = requestContext.current();
    const read = (): Promise<RowBatch> => {
      context?.signal.throwIfAborted();
      return source.read(after, rows);
    };
    // Restores the caller's context, because the queue runs a task in the context of whichever task ended
    // last.
    return this.reading.add(() => (context ? requestContext.run(context, read) : read()));
  }

  private async send(
    response: Response,
    responseWriter: ResponseWriter,
    sending: ExportStreamOptions,
  ): Promise<void> {
    response.flushHeaders();
    const completion = await new ExportStream(responseWriter, sending, this).send();
    if (sending.format.encoding === 'csv') {
      response.addTrailers({ [COUNT_TRAILER]: String(completion.count), [HASH_TRAILER]: completion.sha256 });
    }
    response.end(sending.format.complete(completion));
  }

  /**
   * Ends the export when the reader loses the permission, when the snapshot expires, and when the service
   * stops.
   */
  private watch(reader: ExportReader, end: AbortController): () => void {
    const stop = () =>
      end.abort(
        new AppError('OVERLOADED', { message: 'The service is stopping. Resume on another instance' }),
      );
    const { stopping } = this.lifecycle;
    stopping.addEventListener('abort', stop);
    if (stopping.aborted) stop();
    const until = performance.now() + reader.msLeft;
    const look = setInterval(() => {
      void this.findFault(reader, until).then((fault) => fault && end.abort(fault));
    }, CHECK_INTERVAL_MS);
    return () => {
      stopping.removeEventListener('abort', stop);
      clearInterval(look);
    };
  }

  /** Checks that the export may continue. Costs no query for a recently seen caller, who is cached. */
  private async findFault({ caller, needs }: ExportReader, until: number): Promise<unknown> {
    if (performance.now() > until) return exportTooOld();
    try {
      const principal = await this.principals.find(caller.userId, caller.sessionId);
      if (!principal) return unauthorized('ended');
      return needs.every((permission) => principal.permissions.has(permission))
        ? null
        : new AppError('FORBIDDEN');
    } catch (error) {
      return error;
    }
  }

  /** Logs the error and returns it for the client, or null when the client has disconnected. */
  private clientError(reason: unknown): AppError | null {
    if (reason === CLIENT_GONE) return null;
    const error = toAppError(reason);
    if (error.status >= 500 && error.code !== 'OVERLOADED') this.logger.error(reason, 'an export failed');
    return error;
  }
}
