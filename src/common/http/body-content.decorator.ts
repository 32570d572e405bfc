import { ApiExtension } from '@nestjs/swagger';

/**
 * The extension that marks an operation whose body has a schema of its own in each media type, which `@ApiBody` cannot
 * describe. It becomes the body before the OpenAPI document is served.
 */
export const BODY_CONTENT = 'x-body-content';

/** A schema and an example for each media type of a body. */
export type BodyContent = Readonly<Record<string, { readonly schema: object; readonly example: unknown }>>;

/** Documents a body that has a schema of its own in each media type. */
export const ApiBodyContent = (content: BodyContent) => ApiExtension(BODY_CONTENT, content);
