import { ApiProperty } from '@nestjs/swagger';

const LINKS = {
  health: 'http://localhost:3000/health',
  keys: 'http://localhost:3000/.well-known/jwks.json',
  documentation: 'http://localhost:3000/docs',
  openapi: 'http://localhost:3000/openapi.json',
};

export class IndexResponse {
  /** @example Gatehouse */
  name: string;

  /** @example "0.1.0" */
  version: string;

  /** Addresses by purpose; includes the documentation only where it is served. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string', format: 'uri' }, example: LINKS })
  links: Record<string, string>;
}
