import { applyDecorators, type Type } from '@nestjs/common';
import {
  ApiConflictResponse,
  ApiExtraModels,
  ApiHeader,
  ApiNotAcceptableResponse,
  ApiOkResponse,
} from '@nestjs/swagger';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { eventsOf, ndjsonOf } from '../../common/http/sequence-schema.js';
import {
  ExportCompletionResponse,
  ExportLastLineResponse,
  ExportProgressResponse,
  ExportStartResponse,
} from './dto/export-events.response.js';
import { MAX_CURSOR_LENGTH } from './dto/export-query.dto.js';

const CURSOR =
  '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10.0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a11.1.pZ0f0rJxJt3mO0zv9fP1Gw';
const COMPLETE = `{"count":1,"sha256":"${'0'.repeat(64)}"}`;
const CURSOR_SCHEMA = { type: 'string', maxLength: MAX_CURSOR_LENGTH, example: CURSOR } as const;

/** Documents an export route: three formats of the same rows. JSON rows have the shape of `row`. */
export const ApiExport = (row: Type, rowEvent: string) =>
  applyDecorators(
    ApiExtraModels(
      row,
      ExportStartResponse,
      ExportProgressResponse,
      ExportCompletionResponse,
      ExportLastLineResponse,
    ),
    ApiHeader({
      name: 'Last-Event-ID',
      required: false,
      description: 'Same as `after`, which it overrides. An EventSource sends it on reconnect',
      schema: CURSOR_SCHEMA,
    }),
    ApiOkResponse({
      description: `Rows of \`${row.name}\`, with the properties that \`fields\` names. An export that breaks off ends with an \`ErrorResponse\``,
      headers: {
        'X-Export-Cursor': {
          description: 'The cursor at which this response begins. Pass it as `after` to resume',
          schema: CURSOR_SCHEMA,
        },
        'X-Total-Estimate': {
          description: 'Estimated number of rows in the whole export',
          schema: { type: 'integer' },
        },
      },
      content: {
        'text/event-stream': {
          schema: eventsOf({
            start: ExportStartResponse,
            [rowEvent]: row,
            progress: ExportProgressResponse,
            complete: ExportCompletionResponse,
            error: ErrorResponse,
          }),
          example: `event: ${rowEvent}\nid: ${CURSOR}\ndata: {"id":"…"}\n\nevent: complete\ndata: ${COMPLETE}\n\n`,
        },
        'application/x-ndjson': {
          schema: ndjsonOf(row, ExportLastLineResponse, ErrorResponse),
          example: `{"id":"…"}\n{"_complete":${COMPLETE}}\n`,
        },
        'text/csv': { schema: { type: 'string' }, example: 'id\r\n…\r\n' },
      },
    }),
    ApiNotAcceptableResponse({ type: ErrorResponse }),
    ApiConflictResponse({
      type: ErrorResponse,
      description: 'The export is too old to resume, or predates a database restore',
    }),
  );
