import { applyDecorators, type Type } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';

const integer = { schema: { type: 'integer' as const } };

/** Documents a page: a bare array, and the headers for paging. */
export const ApiPage = (type: Type) =>
  applyDecorators(
    ApiOkResponse({
      type: [type],
      headers: {
        Link: {
          description: 'The next page, with `rel="next"`; absent on the last page',
          schema: { type: 'string' },
        },
        'X-Total-Count': { description: 'The exact number of rows; sent with `total=exact`', ...integer },
        'X-Total-Estimate': {
          description: 'The estimated number of rows; sent with `total=estimate`',
          ...integer,
        },
      },
    }),
  );
