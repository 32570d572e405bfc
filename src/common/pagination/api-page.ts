import { applyDecorators, type Type } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';

const integer = { schema: { type: 'integer' as const } };

/** Documents a page: a bare array, and the headers that lead on. */
export const ApiPage = (type: Type) =>
  applyDecorators(
    ApiOkResponse({
      type: [type],
      headers: {
        Link: {
          description: 'The next page, as `rel="next"`; absent on the last',
          schema: { type: 'string' },
        },
        'X-Total-Count': { description: 'With `total=exact`', ...integer },
        'X-Total-Estimate': { description: 'With `total=estimate`', ...integer },
      },
    }),
  );
