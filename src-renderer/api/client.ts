import { createORPCClient } from '@orpc/client'
import type { ContractRouterClient } from '@orpc/contract'
import type { Contract } from '../../src-main/api/contract/index.ts'
import { openChannel } from './channel.ts'
import { ReconnectingLink, type ConnectionListener } from './reconnecting-link.ts'

/** Everything the main side answers. The one object through which the renderer reaches it. */
export type Api = ContractRouterClient<Contract>

/** Connects to whichever host carries this page and keeps the connection up. */
export function connect(onConnection: ConnectionListener): Api {
  return createORPCClient<Api>(new ReconnectingLink(openChannel, onConnection))
}
