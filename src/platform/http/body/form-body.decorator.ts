import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiConsumes } from '@nestjs/swagger';

export const FORM_TYPE = 'application/x-www-form-urlencoded';
const ACCEPTS_FORM = 'gatehouse:accepts-form';

/** Accepts the body as a flat form too, as the clients of OAuth 2.0 send it. */
export const AcceptsForm = () =>
  applyDecorators(SetMetadata(ACCEPTS_FORM, true), ApiConsumes('application/json', FORM_TYPE));

export const acceptsForm = (handler: object): boolean => Reflect.getMetadata(ACCEPTS_FORM, handler) === true;
