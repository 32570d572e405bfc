import { ExpressAdapter } from '@nestjs/platform-express';
import type { FrontDoor } from '../../lifecycle/front-door.server.js';

/** Nest's Express adapter on a server that may already be listening. */
export class FrontDoorAdapter extends ExpressAdapter {
  constructor(private readonly door: FrontDoor) {
    super();
  }

  override initHttpServer(): void {
    this.setHttpServer(this.door.server);
  }
}
