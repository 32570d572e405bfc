import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A ticket that opens one WebSocket, kept as its hash. */
@Entity('socket_tickets')
export class SocketTicket {
  /** SHA-256 of the ticket. */
  @PrimaryColumn('bytea')
  hash: Buffer;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  /** The session whose access token requested the ticket. */
  @Column('uuid', { name: 'session_id' })
  sessionId: string;

  /** The expiry of that access token, which also ends the socket. */
  @Column({ type: 'timestamptz', name: 'token_expires_at', precision: 3 })
  tokenExpiresAt: Date;

  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3 })
  expiresAt: Date;
}
