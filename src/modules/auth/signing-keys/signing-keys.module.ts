import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { SigningKeysRepository } from './signing-keys.repository.js';
import { SigningKeysService } from './signing-keys.service.js';
import { SigningKey, RefreshSigningKey } from './signing-key.entity.js';

/** Provides the signing keys without the rest of sign-in, so that `keys:rotate` starts nothing else. */
@Module({
  imports: [TypeOrmModule.forFeature([SigningKey, RefreshSigningKey])],
  providers: [SigningKeysService, SigningKeysRepository],
  exports: [SigningKeysService],
})
export class SigningKeysModule {}
