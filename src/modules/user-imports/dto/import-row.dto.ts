import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { MAX_EMAIL_LENGTH } from '../../../common/email-address.js';
import { MAX_LOCALE_LENGTH } from '../../../common/locale.js';
import { MAX_NAME_LENGTH } from '../../../common/validation/text.decorators.js';
import { MAX_HASH_LENGTH } from '../../../platform/crypto/passwords/stored-hash.js';
import { ROLE_NAME } from '../../roles/dto/role-name.decorator.js';
import { MAX_ROLES_OF_USER } from '../../users/dto/set-roles.dto.js';
import type { ImportField } from '../import-fields.js';
import { MAX_LINE_BYTES } from '../line.splitter.js';

const MAX_TIME_LENGTH = 35;
/** Only the limit of the whole row holds for it. */
const PART_OF_CREDENTIAL = { type: 'string', maxLength: MAX_LINE_BYTES } as const;

/**
 * A user of an imported file, for the OpenAPI document only. `parseImportRow` reads the rows and accepts more spellings.
 * The compiler reports a field that is missing here. No property has a `default` in the document, because generators of
 * clients take such a property for required.
 */
export class ImportRowDto implements Record<ImportField, unknown> {
  @ApiProperty({ format: 'email', maxLength: MAX_EMAIL_LENGTH, example: 'grace@example.com' })
  email: string;

  /** Defaults to the part of the address before the @. Null and an empty text mean that a property is absent */
  @ApiPropertyOptional({ minLength: 1, maxLength: MAX_NAME_LENGTH, example: 'Grace Hopper' })
  name: string;

  /** A language tag (BCP 47) for the mails to the user */
  @ApiPropertyOptional({ maxLength: MAX_LOCALE_LENGTH, example: 'en' })
  locale: string;

  /**
   * The hash as the other system wrote it, or a credential of Keycloak as an object. Without one, the user has no
   * password until a reset
   */
  @ApiPropertyOptional({
    oneOf: [
      { type: 'string', maxLength: MAX_HASH_LENGTH },
      {
        type: 'object',
        properties: { secretData: PART_OF_CREDENTIAL, credentialData: PART_OF_CREDENTIAL },
        additionalProperties: true,
        description: 'A credential in a realm’s export of Keycloak',
      },
    ],
    example: '$2b$10$kfvKFT1BQwOo/3V2LDFL8eE2d6g4evuSB1Qu09UbKjXepJBAzJkjW',
  })
  password_hash: string | Readonly<Record<string, unknown>>;

  /**
   * True for an address that is known to be the user's. The texts
   * `true`, `t`, `yes`, `y`, `1`, `false`, `f`, `no`, `n` and `0` are understood too. Defaults to false
   */
  @ApiPropertyOptional({ example: true })
  email_verified: boolean;

  /** Defaults to `active`. A disabled user cannot sign in */
  @ApiPropertyOptional({ enum: ['active', 'disabled'], example: 'active' })
  status: string;

  /** The roles as a list, or as text separated by `;`, `,` or `|`. Defaults to `user` */
  @ApiPropertyOptional({
    oneOf: [
      {
        type: 'array',
        items: { type: 'string', pattern: ROLE_NAME.source },
        minItems: 1,
        maxItems: MAX_ROLES_OF_USER,
      },
      { type: 'string', maxLength: MAX_LINE_BYTES },
    ],
    example: ['user'],
  })
  roles: string[] | string;

  /** The time of creation in the other system, which must not be in the future */
  @ApiPropertyOptional({
    format: 'date-time',
    maxLength: MAX_TIME_LENGTH,
    example: '2026-01-01T12:00:00.000Z',
  })
  created_at: string;
}
