import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Permission } from '../../common/authorization/permissions.js';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { preferredType } from '../../common/http/accept.js';
import { newId } from '../../common/ids.js';
import { AuditLog } from '../../platform/audit-log/audit-log.service.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { compress } from '../../platform/http/answers/compress.js';
import type { ExportQuery } from './dto/export-query.dto.js';
import { COUNT_TRAILER, ExportStreams, HASH_TRAILER } from './streaming/export.streams.js';
import {
  START_OFFSET,
  ExportCursorService,
  type ResumePoint,
  type ExportOffset,
  type ExportScope,
} from './export-cursor.service.js';
import { ExportMetrics } from './export.metrics.js';
import { ExportsRepository, type HistorySnapshot, type StoredExport } from './exports.repository.js';
import { type ExportFormat, exportFormats, formatOf, MEDIA_TYPES } from './encoding/formats.js';
import type { Encoding, RowSource } from './sources/row-source.types.js';
import { exportTooOld } from './export-too-old.error.js';

/** The minimum and maximum number of rows read in one step of the search for a resume point. */
const MIN_STEP_ROWS = 100;
const MAX_STEP_ROWS = 5000;

/** The data to export and the way to read it. */
export interface Exportable {
  readonly kind: 'users' | 'audit';
  /** The SSE event name of a row. */
  readonly rowEvent: string;
  readonly filters: Readonly<Record<string, string | undefined>>;
  /** The fields in output order. */
  readonly fields: readonly string[];
  readonly needs: readonly Permission[];
  readonly source: (moment: HistorySnapshot, fields: readonly string[], encoding: Encoding) => RowSource;
  readonly estimate: () => Promise<number>;
}

interface OpenedExport {
  readonly stored: StoredExport;
  readonly position: ExportOffset;
}

@Injectable()
export class ExportService {
  constructor(
    private readonly repository: ExportsRepository,
    private readonly cursors: ExportCursorService,
    private readonly streams: ExportStreams,
    private readonly auditLog: AuditLog,
    private readonly unitOfWork: UnitOfWork,
    private readonly metrics: ExportMetrics,
  ) {}

  /**
   * Starts or resumes an export. Rejects a bad request before anything is sent.
   * @throws AppError `NOT_ACCEPTABLE`, `OVERLOADED`, `VALIDATION_ERROR` for a cursor of another export,
   * `CONFLICT` for one that is too old
   */
  async send(exported: Exportable, query: ExportQuery, caller: Principal, response: Response): Promise<void> {
    const { req: request } = response;
    compress(request, response);
    const format = chooseFormat(query, request);
    const scope = { ...exported, userId: caller.userId };
    const place = this.resumePointOf(query, request, scope);
    if (request.method === 'HEAD') {
      response.vary('Accept').type(MEDIA_TYPES[format]).end();
      return;
    }
    this.streams.reservePlace(response);
    const found = place && (await this.findResumed(exported, place));
    const { stored, position } = await this.open(exported, caller, found);
    const { id, snapshotAt, totalEstimate, msLeft } = stored;
    const cursorsFrom = this.cursors.writer(id, scope);
    prepareHead(response, {
      format,
      kind: exported.kind,
      cursor: cursorsFrom(position).cursorOf(0),
      totalEstimate,
    });
    const how = formatOf(format, exported.rowEvent);
    const sending = {
      source: exported.source(stored, exported.fields, how.encoding),
      format: how,
      fields: exported.fields,
      beginning: { export_id: id, snapshot_at: snapshotAt.toISOString(), total_estimate: totalEstimate },
      from: position,
      cursorsFrom,
    };
    this.metrics.started(exported.kind, found ? 'resumed' : 'new');
    this.streams.start(response, sending, { caller, needs: exported.needs, msLeft });
  }

  /**
   * Returns the point at which the caller resumes. `Last-Event-ID` wins over the query, because an
   * EventSource sends it on reconnect while its URL stays the same.
   */
  private resumePointOf(
    { after, received = 0 }: ExportQuery,
    request: Request,
    scope: ExportScope,
  ): ResumePoint | null {
    const seen = request.get('last-event-id');
    if (seen) return this.cursors.read(seen, scope, foreignCursor('Last-Event-ID'));
    if (after !== undefined) {
      const place = this.cursors.read(after, scope, foreignCursor('after'));
      return { ...place, rows: place.rows + received };
    }
    if (received > 0) throw AppError.invalid('received', 'received requires after');
    return null;
  }

  /** Writes the audit entry before anything is sent. Starts a new export when `found` is null. */
  private async open(
    exported: Exportable,
    { userId, sessionId }: Principal,
    found: OpenedExport | null,
  ): Promise<OpenedExport> {
    const { kind } = exported;
    const totalEstimate = found ? 0 : Math.round(await exported.estimate());
    return this.unitOfWork.run(async () => {
      const stored =
        found?.stored ??
        (await this.repository.insert({ id: newId(), kind, userId, sessionId, totalEstimate }));
      await this.auditLog.record({ action: 'export.run', target: { type: 'export', id: stored.id } });
      return { stored, position: found?.position ?? START_OFFSET };
    });
  }

  /**
   * Finds the resume point.
   * @throws AppError `CONFLICT`, or `VALIDATION_ERROR` when fewer rows follow the cursor
   */
  private async findResumed(
    exported: Exportable,
    { exportId, position, rows }: ResumePoint,
  ): Promise<OpenedExport> {
    const stored = await this.repository.findReadable(exportId);
    if (!stored) throw exportTooOld();
    const source = exported.source(stored, ['id'], 'csv');
    let { id, count } = position;
    const target = count + rows;
    let from: string | null = id;
    while (count < target) {
      if (from === null)
        throw AppError.invalid('received', 'received must not exceed the number of rows after the cursor');
      const looked = Math.min(Math.max(target - count, MIN_STEP_ROWS), MAX_STEP_ROWS, source.maxRows);
      const piece = await this.streams.read(source, from, looked);
      while (count < target && piece.next()) {
        id = piece.id();
        count++;
      }
      piece.release?.();
      from = piece.upTo;
    }
    return { stored, position: { id, count } };
  }
}

const foreignCursor = (name: string): AppError =>
  AppError.invalid(name, `${name} is not a cursor of this export`);

/** Chooses the format by query or by `Accept`. @throws AppError `NOT_ACCEPTABLE` */
function chooseFormat({ format }: ExportQuery, request: Request): ExportFormat {
  if (format) return format;
  const type = preferredType(request.headers.accept, Object.values(MEDIA_TYPES));
  const found = exportFormats.find((each) => MEDIA_TYPES[each] === type);
  if (!found) throw new AppError('NOT_ACCEPTABLE');
  return found;
}

interface Head {
  readonly format: ExportFormat;
  readonly kind: string;
  readonly cursor: string;
  readonly totalEstimate: number;
}

function prepareHead(response: Response, { format, kind, cursor, totalEstimate }: Head): void {
  response
    .status(200)
    .vary('Accept')
    .set({
      'Content-Type': `${MEDIA_TYPES[format]}; charset=utf-8`,
      'X-Export-Cursor': cursor,
      'X-Total-Estimate': String(totalEstimate),
      // A proxy that buffers whole responses would delay this stream until its end.
      'X-Accel-Buffering': 'no',
    });
  if (format !== 'sse') response.set('Content-Disposition', `attachment; filename="${kind}.${format}"`);
  if (format === 'csv') response.set('Trailer', `${COUNT_TRAILER}, ${HASH_TRAILER}`);
}
