import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ErrorResponse } from '../../common/errors/error.response.js';
import { buildInfo } from '../../config/build-info.js';
import type { Config } from '../../config/config.js';
import { chooseOwnServer } from './choose-own-server.js';
import { completeOperations } from './complete-operations.js';
import { omitSlowPasses } from './omit-slow-passes.js';

/** Says once what holds for the errors of every route. */
const ERRORS = `Every error has the same form: \`{"error": {"code", "message", "request_id", "details"}}\`. With
\`Accept: application/problem+json\` the same facts are sent as RFC 9457: \`{"type", "title", "status", "detail", "code", "request_id", "errors"}\`.
[The document as JSON](/openapi.json)`;

/** The part of the document that the application supplies. */
export interface ApiDescription {
  readonly description: string;
  /** The meaning of parameters and properties that mean the same wherever they occur, by their names. */
  readonly meanings: Readonly<Record<string, string>>;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

/** Serves the OpenAPI 3.1 document at `/openapi.json` and Swagger UI at `/docs`. */
export function serveDocumentation(app: NestExpressApplication, config: Config, api: ApiDescription): void {
  if (!config.DOCS) return;
  SwaggerModule.setup('docs', app, () => openApiDocument(app, config, api), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Gatehouse – Swagger UI',
    swaggerOptions: {
      persistAuthorization: true,
      displayRequestDuration: true,
      filter: true,
      // The closed list of schemas costs a fifth of the time until the first route is shown.
      defaultModelsExpandDepth: 0,
      onComplete: chooseOwnServer,
      plugins: [omitSlowPasses],
    },
  });
}

/** Returns the OpenAPI document of an application, which need not have started. */
export function openApiDocument(
  app: INestApplication,
  { PUBLIC_URL }: Pick<Config, 'PUBLIC_URL'>,
  api: ApiDescription,
): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Gatehouse')
    .setDescription(`${api.description}\n\n${ERRORS}`)
    .setVersion(buildInfo.version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer(PUBLIC_URL, 'PUBLIC_URL')
    .addServer('/', 'The instance that served this document')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .addSecurity('metrics', {
      type: 'http',
      scheme: 'bearer',
      description: 'The METRICS_TOKEN, if one is set',
    });
  for (const { name, description } of api.tags) builder.addTag(name, description);
  builder.addTag('operations', 'Probes, metrics, and the state of the installation');
  const document = SwaggerModule.createDocument(app, builder.build(), {
    extraModels: [ErrorResponse],
    // Generated clients name their functions after the handlers.
    operationIdFactory: (_, handler) => handler,
  });
  return completeOperations(document, api.meanings);
}
