import { contextBridge, ipcRenderer } from 'electron'
import { forwardPorts } from './port-forwarding.ts'
import type { PageWindow } from './port-forwarding.ts'

/** The page's window; the main side is compiled without the types of the browser. */
declare const window: PageWindow<object>

contextBridge.exposeInMainWorld('host', { kind: 'electron' })
// The name stands in rpc-bridge.ts, too; a sandboxed preload cannot load what the main process uses.
forwardPorts(window, ipcRenderer, 'rpc:port')
