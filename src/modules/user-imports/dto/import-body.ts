import { getSchemaPath } from '@nestjs/swagger';
import type { BodyContent } from '../../../common/http/body-content.decorator.js';
import { ndjsonOf } from '../../../common/http/sequence-schema.js';
import { MAX_BODY_BYTES, MAX_LINES } from '../import-staging.service.js';
import { CSV, type ImportType, JSON_ARRAY, NDJSON } from '../import.reader.js';
import { ImportRowDto } from './import-row.dto.js';

const GRACE = { email: 'grace.hopper@example.com', name: 'Grace Hopper', roles: ['user'] };
const ALAN = { email: 'alan.turing@example.com', name: 'Alan Turing', email_verified: true };

/**
 * The file of users in each format, for the OpenAPI document. Swagger UI prefills the first one. For NDJSON it offers a
 * choice of files instead.
 */
export const importBody = {
  [JSON_ARRAY]: {
    schema: { type: 'array', maxItems: MAX_LINES, items: { $ref: getSchemaPath(ImportRowDto) } },
    example: [GRACE, ALAN],
  },
  [NDJSON]: {
    schema: { ...ndjsonOf(ImportRowDto), maxLength: MAX_BODY_BYTES },
    example: `${JSON.stringify(GRACE)}\n${JSON.stringify(ALAN)}\n`,
  },
  [CSV]: {
    schema: { type: 'string', maxLength: MAX_BODY_BYTES },
    example: `email,name,roles\n${GRACE.email},${GRACE.name},user\n${ALAN.email},${ALAN.name},user\n`,
  },
} satisfies Record<ImportType, unknown> & BodyContent;
