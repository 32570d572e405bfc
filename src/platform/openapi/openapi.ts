import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { ErrorResponse, ProblemResponse } from '../../common/errors/error.response.js';
import { buildInfo } from '../../config/build-info.js';
import type { Config } from '../../config/config.js';
import { completeOperations } from './common-responses.js';

/** Serves the OpenAPI 3.1 document at `/openapi.json` and Swagger UI at `/docs`. */
export function serveDocumentation(app: NestExpressApplication, config: Config): void {
  if (!config.DOCS) return;
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Gatehouse – Swagger UI',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true },
  });
}

export function openApiDocument(app: NestExpressApplication): OpenAPIObject {
  const frame = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Gatehouse')
    .setDescription(
      'Accounts, sign-in and roles. Sign in with `POST /api/auth/login`, then enter the `access_token` under **Authorize**.',
    )
    .setVersion(buildInfo.version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'This instance')
    .addTag('auth', 'Sign-in, sessions and account recovery')
    .addTag('users', 'Accounts')
    .addTag('roles', 'Roles and their permissions')
    .addTag('resources', 'Resources that accounts own and can transfer')
    .addTag('jobs', 'Bulk work in the background')
    .addTag('export', 'Full exports of one consistent snapshot')
    .addTag('events', 'The ordered log of what happened')
    .addTag('audit', 'The audit log and its proofs')
    .addTag('operations', 'Probes and metrics')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .addSecurity('metrics', {
      type: 'http',
      scheme: 'bearer',
      description: 'The METRICS_TOKEN, if one is set',
    })
    .build();
  const document = SwaggerModule.createDocument(app, frame, {
    extraModels: [ErrorResponse, ProblemResponse],
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  return completeOperations(document);
}
