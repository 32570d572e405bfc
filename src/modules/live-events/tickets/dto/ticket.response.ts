import { ApiProperty } from '@nestjs/swagger';

export class TicketResponse {
  /** The ticket, to offer as the subprotocol `ticket.<ticket>`. It can be used once */
  @ApiProperty({ example: 'pXvS2o4uT1Yb7kq0mZ3nR8wL5cJ9dF6gH2aE4iK1sU0' })
  ticket: string;

  /** The lifetime of the ticket in seconds */
  @ApiProperty({ example: 30 })
  expires_in: number;
}
