import { Body, Controller, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  ApiBadRequestResponse,
  ApiForbiddenResponse,
  ApiHeader,
  ApiInternalServerErrorResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { SignedIn } from '../../../common/authorization/policy.decorator.js';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { Caller } from '../../../common/context/caller.decorator.js';
import { ErrorResponse } from '../../../common/errors/error.response.js';
import { ExtendsErrors } from '../../../platform/http/answers/error-extension.decorator.js';
import { sendText } from '../../../platform/http/answers/send-text.js';
import { IgnoresIdempotencyKey } from '../../../platform/idempotency/idempotency.decorator.js';
import { FLAG_KEY_PARAMETER } from '../dto/flag-key.parameter.js';
import { BulkEvaluationQuery, EvaluationRequestDto } from './evaluation-request.dto.js';
import {
  BulkEvaluationFailureResponse,
  BulkEvaluationResponse,
  EvaluationFailureResponse,
  EvaluationResponse,
} from './evaluation.response.js';
import { ofrepErrors } from './ofrep-errors.js';
import { OfrepService } from './ofrep.service.js';

const ETAG = { description: 'The entity tag of the values', schema: { type: 'string' } } as const;

const ApiOthersForbidden = () =>
  ApiForbiddenResponse({
    type: ErrorResponse,
    description: 'The `targetingKey` is not the caller, who lacks `flags:manage`',
  });

/** The OpenFeature Remote Evaluation Protocol 0.3, so that any client of OpenFeature can ask for flags. */
@ApiTags('flags')
@ExtendsErrors(ofrepErrors)
@IgnoresIdempotencyKey()
@Controller('ofrep/v1/evaluate/flags')
export class OfrepController {
  constructor(private readonly ofrep: OfrepService) {}

  /** Evaluates one flag for a user. */
  @Post(':key')
  @SignedIn()
  @HttpCode(200)
  @ApiParam(FLAG_KEY_PARAMETER)
  @ApiOkResponse({ type: EvaluationResponse })
  @ApiBadRequestResponse({
    type: EvaluationFailureResponse,
    description: 'The context names no user, or is no context',
  })
  @ApiOthersForbidden()
  @ApiNotFoundResponse({ type: EvaluationFailureResponse, description: 'No flag has this key' })
  @ApiInternalServerErrorResponse({ type: EvaluationFailureResponse })
  evaluateFlag(
    @Param('key') key: string,
    @Body() body: EvaluationRequestDto,
    @Caller() caller: Principal,
  ): EvaluationResponse {
    return this.ofrep.evaluate(key, body, caller);
  }

  /** Evaluates every flag for a user. */
  @Post()
  @SignedIn()
  @HttpCode(200)
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'The ETag of values that the client has',
    schema: { type: 'string' },
  })
  @ApiOkResponse({ type: BulkEvaluationResponse, headers: { ETag: ETAG } })
  @ApiResponse({ status: 304, description: 'The client has the current values', headers: { ETag: ETAG } })
  @ApiBadRequestResponse({
    type: BulkEvaluationFailureResponse,
    description: 'The context names no user, or is no context',
  })
  @ApiOthersForbidden()
  @ApiInternalServerErrorResponse({ type: BulkEvaluationFailureResponse })
  evaluateFlags(
    @Body() body: EvaluationRequestDto,
    @Query() _: BulkEvaluationQuery,
    @Caller() caller: Principal,
    @Req() request: Request,
    @Res() response: Response,
  ): void {
    send(this.ofrep.evaluateAll(body, caller, request.headers['if-none-match']), request, response);
  }
}

function send(
  { etag, body }: ReturnType<OfrepService['evaluateAll']>,
  request: Request,
  response: Response,
): void {
  response.setHeader('ETag', etag);
  if (body === null) {
    response.status(304).end();
    return;
  }
  response.status(200).setHeader('Content-Type', 'application/json; charset=utf-8');
  sendText(request, response, body);
}
