import { app, BrowserWindow, dialog, ipcMain, protocol, shell } from 'electron'
import { createRouter, Workbench } from '../api/index.ts'
import { rendererFolder } from '../core/entry.ts'
import { appHandler, appScheme, isAppAddress } from './app-protocol.ts'
import { portMessage, RpcBridge } from './rpc-bridge.ts'
import { confine, denyPermissions, openWindow, preloadFile } from './window.ts'

/**
 * Entry of the desktop app. Closing it lets go of the project; a running job is a process of its own and goes on, and the next
 * start shows it.
 */
function start(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: appScheme, privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } },
  ])
  const log = (line: string): void => console.error(line)
  const workbench = new Workbench({ kind: 'desktop', chooseFolder, reveal, log })
  const bridge = new RpcBridge(createRouter(workbench, log))

  app.on('web-contents-created', (_event, contents) => confine(contents))
  app.on('second-instance', () => {
    const [window] = BrowserWindow.getAllWindows()
    if (window?.isMinimized()) window.restore()
    window?.focus()
  })
  app.on('window-all-closed', () => app.quit())
  app.on('will-quit', () => workbench.dispose())
  ipcMain.on(portMessage, (event) => {
    const [port] = event.ports
    if (port !== undefined && isAppAddress(event.senderFrame?.url ?? '')) bridge.accept(port)
  })
  void app.whenReady().then(() => {
    denyPermissions()
    protocol.handle(appScheme, appHandler(workbench.media, rendererFolder()))
    openWindow(preloadFile(import.meta.dirname))
  })
}

async function chooseFolder(): Promise<string | null> {
  const [window] = BrowserWindow.getAllWindows()
  const options = { properties: ['openDirectory' as const], title: 'Open a folder of videos' }
  const { canceled, filePaths } =
    window === undefined ? await dialog.showOpenDialog(options) : await dialog.showOpenDialog(window, options)
  return canceled ? null : (filePaths[0] ?? null)
}

/** Electron answers with a text when it could not open the folder. */
async function reveal(path: string): Promise<boolean> {
  return (await shell.openPath(path)) === ''
}

if (app.requestSingleInstanceLock()) start()
else app.quit()
