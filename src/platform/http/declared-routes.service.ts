import { Injectable } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/internal';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { type OperationalRoute, operationalRoute } from '../../common/http/operational.decorator.js';
import { headersExposedBy } from './exposes-headers.decorator.js';
import { acceptsUpgrades } from './server/upgrades.js';

interface DeclaredRoute {
  /** The first segment of the path, such as `api`; empty for `/`. */
  readonly area: string;
  readonly operational: OperationalRoute | undefined;
}

/** Reads what controllers declare about their routes, for code that runs before a request is routed. */
@Injectable()
export class DeclaredRoutesService {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  all(): DeclaredRoute[] {
    return this.controllers().flatMap((controller) => this.routesOf(controller));
  }

  /** Returns the paths whose handlers take over connections, such as `/ws`. */
  upgradePaths(): string[] {
    return this.controllers().flatMap((controller) =>
      this.handlersOf(controller)
        .filter(acceptsUpgrades)
        .map(
          (handler) => `/${`${pathOf(controller)}/${pathOf(handler)}`.split('/').filter(Boolean).join('/')}`,
        ),
    );
  }

  exposedHeaders(): string[] {
    return this.controllers().flatMap(headersExposedBy);
  }

  private controllers(): Controller[] {
    return this.discovery.getControllers().map(({ metatype }) => metatype as Controller);
  }

  private routesOf(controller: Controller): DeclaredRoute[] {
    return this.handlersOf(controller).map((handler) => {
      const area = areaOf(`${pathOf(controller)}/${pathOf(handler)}`);
      return { area, operational: operationalRoute(handler, controller) };
    });
  }

  private handlersOf(controller: Controller): object[] {
    return this.scanner.getAllMethodNames(controller.prototype).flatMap((name) => {
      const handler = controller.prototype[name];
      return handler && Reflect.hasMetadata(METHOD_METADATA, handler) ? [handler] : [];
    });
  }
}

interface Controller {
  readonly prototype: Readonly<Record<string, object>>;
}

const pathOf = (declaring: object): string => String(Reflect.getMetadata(PATH_METADATA, declaring) ?? '');

const areaOf = (path: string): string => path.split('/').find(Boolean) ?? '';
