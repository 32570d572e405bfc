import { StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import type { VersionedRecord } from '../../../common/http/preconditions/entity-tag.js';
import type { FrontDoor } from '../../lifecycle/front-door.server.js';
import { compress } from '../answers/compress.js';
import { sendText } from '../answers/send-text.js';
import { setVersion } from '../answers/versioned-answer.js';
import { EdgeContext } from '../edge/edge-context.js';

type InitOptions = Parameters<ExpressAdapter['initHttpServer']>[0];

/** Nest's Express adapter, which sends what handlers return. With a `door` it uses a server that already listens. */
export class ServiceAdapter extends ExpressAdapter {
  constructor(private readonly door: FrontDoor | null) {
    super();
  }

  override initHttpServer(options: InitOptions): void {
    if (this.door) this.setHttpServer(this.door.server);
    else super.initHttpServer(options);
  }

  /** Sends the body that a handler returned: a record with its ETag, other JSON, a text or a stream. */
  override reply(response: Response, body: unknown, statusCode?: number): unknown {
    // The request has timed out, and the client has the 504.
    if (response.headersSent) return undefined;
    const { req: request } = response;
    const edge = EdgeContext.current();
    // A stream may outlast the time limit once its handler has returned.
    if (edge) edge.onTimeout = null;
    if (edge?.route?.isVersioned && isRecord(body) && setVersion(request, response, body)) {
      return this.replyPlainly(request, response, undefined, undefined);
    }
    if (!isJson(body) || response.hasHeader('Content-Type')) {
      return this.replyPlainly(request, response, body, statusCode);
    }
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    return sendText(request, response, JSON.stringify(body));
  }

  private replyPlainly(
    request: Request,
    response: Response,
    body: unknown,
    statusCode: number | undefined,
  ): unknown {
    compress(request, response);
    return super.reply(response, body, statusCode) as unknown;
  }
}

const isJson = (body: unknown): body is object =>
  typeof body === 'object' && body !== null && !(body instanceof StreamableFile) && !(body instanceof Error);

const isRecord = (body: unknown): body is VersionedRecord => isJson(body) && 'version' in body;
