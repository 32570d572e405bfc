import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiConsumes } from '@nestjs/swagger';

export const FORM_TYPE = 'application/x-www-form-urlencoded';
const FORM_PARAMETERS = 'gatehouse:form-parameters';

/**
 * Accepts the body as a flat form too, as the clients of OAuth 2.0 send it. A form may have other parameters than those
 * named here, which are ignored (RFC 6749, 3.2). Values may contain any characters, in a form and in JSON.
 */
export const AcceptsForm = (...parameters: string[]) =>
  applyDecorators(SetMetadata(FORM_PARAMETERS, parameters), ApiConsumes('application/json', FORM_TYPE));

/** Returns the parameters of a form that the handler reads; null for a route that takes no form. */
export const formParameters = (handler: object): readonly string[] | null =>
  (Reflect.getMetadata(FORM_PARAMETERS, handler) ?? null) as readonly string[] | null;
