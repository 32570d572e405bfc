import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { UserEncryptionKeys } from './user-encryption-keys.service.js';
import { DecoyHashesService } from './passwords/decoy-hashes.service.js';
import { KeyedDigestService } from './keyed-digest.service.js';
import { readMasterKey } from './read-master-key.js';
import { PasswordHasher } from './passwords/password.hasher.js';
import { PasswordSignerKey } from './passwords/password-signer-key.entity.js';
import { SignerKeysService } from './passwords/signer-keys.service.js';
import { MASTER_KEY, Cipher } from './cipher.service.js';
import { UserEncryptionKey } from './user-encryption-key.entity.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([UserEncryptionKey, PasswordSignerKey])],
  providers: [
    {
      provide: MASTER_KEY,
      inject: [ConfigModule.token],
      useFactory: (config: Config) => readMasterKey(config),
    },
    Cipher,
    KeyedDigestService,
    DecoyHashesService,
    SignerKeysService,
    PasswordHasher,
    UserEncryptionKeys,
  ],
  exports: [
    Cipher,
    KeyedDigestService,
    DecoyHashesService,
    SignerKeysService,
    PasswordHasher,
    UserEncryptionKeys,
  ],
})
export class CryptoModule {}
