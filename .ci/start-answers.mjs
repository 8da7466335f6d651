// Runs `npm start` as a newcomer would, waits for the address it prints, asks for the page, and stops it.
import { spawn } from 'node:child_process'

const limitSeconds = 120
const child = spawn('npm', ['start'], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
const stop = () => {
  try {
    process.kill(-child.pid, 'SIGTERM')
  } catch {
    // It has ended already.
  }
}
const fail = (why) => {
  console.error(why)
  stop()
  process.exit(1)
}
const timer = setTimeout(
  () => fail(`npm start printed no address within ${limitSeconds} s`),
  limitSeconds * 1000,
)
child.on('exit', (code) => fail(`npm start ended with code ${code} before it printed an address`))

let output = ''
child.stdout.on('data', async (chunk) => {
  process.stdout.write(chunk)
  output += chunk
  const address = /http:\/\/(?:127\.0\.0\.1|localhost):\d+\/\S*/.exec(output)?.[0]
  if (address === undefined) return
  clearTimeout(timer)
  child.stdout.removeAllListeners('data')
  child.removeAllListeners('exit')
  const response = await fetch(address)
  const page = await response.text()
  if (!response.ok || !page.includes('<title>Kineo'))
    fail(`${address} answered ${response.status} without Kineo's page`)
  console.log('npm start serves the page')
  stop()
  process.exit(0)
})
