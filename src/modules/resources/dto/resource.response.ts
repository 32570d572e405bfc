import { ApiProperty } from '@nestjs/swagger';
import type { Resource } from '../resource.entity.js';

/** A resource as the API returns it. */
export class ResourceResponse {
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** @example project */
  type: string;

  /** @example "Analytical Engine" */
  name: string;

  @ApiProperty({ type: String, nullable: true, example: 'project-42' })
  external_id: string | null;

  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  owner_id: string;

  /** Rises with every transfer and forms the ETag */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  version: number;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  updated_at: string;
}

/** Names each field, so that a new column is never exposed by accident. */
export function toResourceResponse(resource: Resource): ResourceResponse {
  return {
    id: resource.id,
    type: resource.type,
    name: resource.name,
    external_id: resource.externalId,
    owner_id: resource.ownerId,
    version: resource.version,
    created_at: resource.createdAt.toISOString(),
    updated_at: resource.updatedAt.toISOString(),
  };
}
