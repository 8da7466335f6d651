/** What the preload needs of the page's window. */
export interface PageWindow<Port> {
  addEventListener(
    type: 'message',
    listener: (event: { source: unknown; data: unknown; ports: readonly Port[] }) => void,
  ): void
}

/** What the preload needs of Electron's ipcRenderer. */
export interface PortSender<Port> {
  postMessage(channel: string, message: unknown, transfer: Port[]): void
}

/**
 * Hands the ports that the page posts to itself on to the main process: a port cannot cross Electron's contextBridge. Only
 * messages of this very window with this very name and one port count.
 */
export function forwardPorts<Port>(page: PageWindow<Port>, sender: PortSender<Port>, channel: string): void {
  page.addEventListener('message', ({ source, data, ports }) => {
    const port = ports[0]
    if (source !== page || data !== channel || port === undefined || ports.length !== 1) return
    sender.postMessage(channel, null, [port])
  })
}
