import { ApiExtension } from '@nestjs/swagger';

/**
 * Marks an operation whose body has another schema in each media type, which `@ApiBody` cannot say. The extension
 * becomes the body before the OpenAPI document is served.
 */
export const BODY_CONTENT = 'x-body-content';

/** A schema and an example for each media type of a body. */
export type BodyContent = Readonly<Record<string, { readonly schema: object; readonly example: unknown }>>;

/** Documents a body that has another schema in each media type. */
export const ApiBodyContent = (content: BodyContent) => ApiExtension(BODY_CONTENT, content);
