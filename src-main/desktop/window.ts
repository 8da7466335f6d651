import { join } from 'node:path'
import { BrowserWindow, session, type WebContents } from 'electron'
import { appOrigin, isAppAddress } from './app-protocol.ts'

/** Opens the app's one window: a sandboxed page without Node. */
export function openWindow(preload: string): BrowserWindow {
  const window = new BrowserWindow({
    title: 'Kineo',
    width: 1440,
    height: 900,
    minWidth: 1024,
    minHeight: 700,
    show: false,
    autoHideMenuBar: true,
    webPreferences: { preload, contextIsolation: true, sandbox: true, nodeIntegration: false },
  })
  window.once('ready-to-show', () => window.show())
  void window.loadURL(`${appOrigin}/`)
  return window
}

/** The preload of the build: out/preload beside out/main. */
export function preloadFile(mainFolder: string): string {
  return join(mainFolder, '..', 'preload', 'preload.cjs')
}

/** Keeps every page on the app's own address, without new windows or embedded pages. */
export function confine(contents: WebContents): void {
  contents.on('will-navigate', (event) => {
    if (!isAppAddress(event.url)) event.preventDefault()
  })
  contents.on('will-attach-webview', (event) => event.preventDefault())
  contents.setWindowOpenHandler(() => ({ action: 'deny' }))
}

/** The page may write to the clipboard (Copy report) and nothing else. */
export function denyPermissions(): void {
  const isAllowed = (permission: string): boolean => permission === 'clipboard-sanitized-write'
  session.defaultSession.setPermissionRequestHandler((_contents, permission, answer) =>
    answer(isAllowed(permission)),
  )
  session.defaultSession.setPermissionCheckHandler((_contents, permission) => isAllowed(permission))
}
