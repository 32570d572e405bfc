import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ErrorResponse, ProblemResponse } from '../../common/errors/error.response.js';
import { buildInfo } from '../../config/build-info.js';
import type { Config } from '../../config/config.js';
import { completeOperations } from './complete-operations.js';

/** The part of the document that the application supplies. */
export interface ApiDescription {
  readonly description: string;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

/** Serves the OpenAPI 3.1 document at `/openapi.json` and Swagger UI at `/docs`. */
export function serveDocumentation(app: NestExpressApplication, config: Config, api: ApiDescription): void {
  if (!config.DOCS) return;
  SwaggerModule.setup('docs', app, () => openApiDocument(app, api), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Gatehouse – Swagger UI',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true },
  });
}

export function openApiDocument(app: NestExpressApplication, api: ApiDescription): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Gatehouse')
    .setDescription(api.description)
    .setVersion(buildInfo.version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'This instance')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .addSecurity('metrics', {
      type: 'http',
      scheme: 'bearer',
      description: 'The METRICS_TOKEN, if one is set',
    });
  for (const { name, description } of api.tags) builder.addTag(name, description);
  builder.addTag('operations', 'Probes and metrics');
  const document = SwaggerModule.createDocument(app, builder.build(), {
    extraModels: [ErrorResponse, ProblemResponse],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  return completeOperations(document);
}
