import { SetMetadata } from '@nestjs/common';

const EXPOSES_HEADERS = 'gatehouse:exposes-headers';

/** Names headers of a controller's answers that pages of allowed origins may read. */
export const ExposesHeaders = (...names: readonly string[]): ClassDecorator =>
  SetMetadata(EXPOSES_HEADERS, names);

export const headersExposedBy = (controller: object): readonly string[] =>
  (Reflect.getMetadata(EXPOSES_HEADERS, controller) ?? []) as readonly string[];
