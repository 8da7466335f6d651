import { Workbench } from '../../src-main/api/index.ts'
import { startBrowserHost } from '../../src-main/server/browser-host.ts'

/** The real browser host with a page of the test: `host-process <renderer folder>` prints its link. */
const log = (line: string): void => console.error(line)
const workbench = new Workbench({ kind: 'browser', log })
const host = await startBrowserHost({ workbench, port: 0, renderer: process.argv[2] ?? '', log })
console.log(host.newLink())
