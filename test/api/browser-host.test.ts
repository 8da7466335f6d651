import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Clip } from '../../src-main/api/contract/index.ts'
import { EventLog, renderVideos, TestHost, type Api } from './harness.ts'

const host = new TestHost()
let api: Api
let videos: string

beforeAll(async () => {
  videos = join(host.folder, 'my videos')
  await renderVideos(videos, { left: [-3, 0], right: [3, 0] }, 5)
  writeFileSync(join(videos, 'left', 'empty.mp4'), '')
  writeFileSync(join(videos, 'left', 'notes.txt'), 'not a video')
  await host.open()
  api = await host.connect()
})

afterAll(() => host.dispose())

/** fetch() may not set Host and Origin. */
function rawStatus(headers: Record<string, string>, path = '/', port = host.port): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    call.once('error', reject)
    call.end()
  })
}

function socketOpens(headers: Record<string, string>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${host.port}/rpc`, { headers })
    socket.once('open', () => {
      socket.close()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

describe('access to the browser host', () => {
  it('is given once for the printed link, as a cookie that neither scripts nor other sites get', async () => {
    const other = new TestHost()
    try {
      const link = await other.start()
      const first = await fetch(link)
      expect(first.status).toBe(200)
      expect(first.headers.get('set-cookie')).toMatch(
        /^kineo-\d+=[0-9a-f]{48}; HttpOnly; SameSite=Strict; Path=\/$/,
      )
      expect(await first.text()).toContain('<title>Kineo')
      const again = await fetch(link)
      expect(again.status).toBe(401)
      expect(await again.text()).toContain('each link works once')
    } finally {
      await other.dispose()
    }
  })

  it('takes the used token out of the address bar of a browser', async () => {
    const other = new TestHost()
    try {
      const { pathname, search, host: name } = new URL(await other.start())
      const path = `${pathname}${search}`
      const status = await rawStatus({ host: name, 'sec-fetch-site': 'none' }, path, other.port)
      expect(status).toBe(303)
      expect(await rawStatus({ host: name, 'sec-fetch-site': 'none' }, path, other.port)).toBe(401)
    } finally {
      await other.dispose()
    }
  })

  it('is refused without the cookie, for a foreign name, and for a page of another origin', async () => {
    for (const path of ['/', '/index.html', '/media/0/clips/1/video', '/?token=wrong']) {
      expect(await rawStatus({ host: `127.0.0.1:${host.port}` }, path), path).toBe(401)
    }
    expect(await rawStatus({ host: 'evil.example', cookie: host.cookie })).toBe(421)
    expect(await rawStatus({ host: 'localhost:8080', cookie: host.cookie })).toBe(200)
    expect(await rawStatus({ host: '127.0.0.1', cookie: `${host.cookie.slice(0, -1)}x` })).toBe(401)

    const { cookie, origin } = host
    expect(await socketOpens({ cookie, origin })).toBe(true)
    expect(await socketOpens({ origin })).toBe(false)
    expect(await socketOpens({ cookie })).toBe(false)
    expect(await socketOpens({ cookie, origin: 'http://evil.example' })).toBe(false)
    expect(await socketOpens({ cookie, origin: 'http://evil.example', host: 'evil.example' })).toBe(false)
  })

  it('comes with headers that keep the page to itself', async () => {
    const page = await host.get('/')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
    expect((await host.get('/..%2f..%2fetc%2fpasswd')).status).toBe(404)
    expect((await host.get('/', {}, 'POST')).status).toBe(404)
  })
})

describe('opening a folder', () => {
  it('shows its classes and clips, reads them in the background, and names what cannot be used', async () => {
    const events = new EventLog(api)
    const state = await api.project.open({ folder: videos })
    expect(state).toMatchObject({ name: 'my videos', kind: 'videos', sourceFolder: videos, clipCount: 11 })
    expect(state.classes.map(({ name, trainClips, valClips }) => [name, trainClips + valClips])).toEqual([
      ['left', 6],
      ['right', 5],
    ])
    expect(state.classes.every(({ valClips }) => valClips === 1)).toBe(true)

    await events.until((event) => event.type === 'project')
    let clips: Clip[] = []
    const isKnown = ({ width, problem }: Clip): boolean => width !== null || problem !== null
    for (let tries = 0; tries < 600 && !(clips.length > 0 && clips.every(isKnown)); tries++) {
      clips = await api.project.clips()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(clips.find(({ name }) => name === 'empty')?.problem).toBe('The file is empty')
    const good = clips.find(({ name }) => name === 'right_1')
    expect(good).toMatchObject({
      className: 'right',
      width: 64,
      height: 48,
      durationSeconds: 1,
      prepared: false,
    })
    expect((await api.project.state())?.brokenClipCount).toBe(1)
    events.stop()
  })

  it('opens the same project for the same folder again, and for its own folder', async () => {
    const first = await api.project.open({ folder: videos })
    const ids = (await api.project.clips()).map(({ id }) => id)
    expect((await api.project.open({ folder: join(videos, '.') })).folder).toBe(first.folder)
    await api.project.close()
    expect(await api.project.state()).toBeNull()
    expect(await api.project.open({ folder: first.folder })).toMatchObject({
      folder: first.folder,
      sourceFolder: videos,
    })
    expect((await api.project.clips()).map(({ id }) => id)).toEqual(ids)
    expect((await api.app.info()).recentProjects.map(({ folder }) => folder)).toEqual([first.folder])
  })

  it('says what is missing in a folder that cannot be opened', async () => {
    const folder = (name: string): string => {
      mkdirSync(join(host.folder, name), { recursive: true })
      return join(host.folder, name)
    }
    const messageOf = (path: string): Promise<string> =>
      api.project.open({ folder: path }).then(
        () => 'opened',
        (error: { message: string; data: { remedy: string | null } }) =>
          `${error.message}. ${error.data.remedy}`,
      )
    expect(await messageOf(join(host.folder, 'nowhere'))).toContain('There is no such folder')
    expect(await messageOf(folder('nothing'))).toContain(
      'There are no videos in this folder. Make one folder',
    )
    expect(await messageOf(join(videos, 'left'))).toContain('Open the folder above it, "my videos"')
    expect(await messageOf(host.folder)).toContain('Open the folder "my videos" in it')
    writeFileSync(join(folder('loose'), 'a.mp4'), '')
    expect(await messageOf(folder('loose'))).toContain('not sorted into classes')
    writeFileSync(join(folder('single/only'), 'a.mp4'), '')
    expect(await messageOf(folder('single'))).toContain('only one class, "only"')
    if (process.getuid?.() !== 0 && process.platform !== 'win32') {
      chmodSync(folder('closed'), 0)
      expect(await messageOf(folder('closed'))).toContain('cannot be read')
    }
  })

  it('lists folders for the chooser with what would come of them', async () => {
    const listing = await api.files.list({ path: videos })
    expect(listing).toMatchObject({
      path: videos,
      parent: host.folder,
      videoCount: 0,
      verdict: '2 classes, 11 videos',
    })
    expect(listing.folders.map(({ name }) => name)).toEqual(['left', 'right'])
    expect((await api.files.list({ path: join(videos, 'left') })).videoCount).toBe(6)
    expect((await api.files.list({ path: null })).path).toBe((await api.app.info()).homeFolder)
    await expect(api.files.list({ path: join(videos, 'nowhere') })).rejects.toMatchObject({
      data: { code: 'input' },
    })
    expect(await api.files.chooseFolder()).toEqual({ path: null, available: false })
  })

  it('reveals nothing outside of the project', async () => {
    await api.project.open({ folder: videos })
    await expect(api.files.reveal({ path: '/etc' })).rejects.toMatchObject({
      message: 'This folder does not belong to the project',
    })
  })
})

describe('media of clips', () => {
  let clip: Clip

  beforeAll(async () => {
    await api.project.open({ folder: videos })
    clip = (await api.project.clips()).find(({ name }) => name === 'left_2')!
  })

  it('come whole, in ranges, and as heads, and may stay in the cache', async () => {
    const whole = await host.get(clip.mediaUrl)
    expect(whole.status).toBe(200)
    expect(whole.headers.get('content-type')).toBe('video/mp4')
    expect(whole.headers.get('accept-ranges')).toBe('bytes')
    expect(whole.headers.get('cache-control')).toContain('immutable')
    const bytes = new Uint8Array(await whole.arrayBuffer())
    const size = bytes.length

    const ranged = async (range: string): Promise<[number, string | null, Uint8Array]> => {
      const response = await host.get(clip.mediaUrl, { range })
      return [
        response.status,
        response.headers.get('content-range'),
        new Uint8Array(await response.arrayBuffer()),
      ]
    }
    expect(await ranged('bytes=10-19')).toEqual([206, `bytes 10-19/${size}`, bytes.slice(10, 20)])
    expect(await ranged('bytes=10-')).toEqual([206, `bytes 10-${size - 1}/${size}`, bytes.slice(10)])
    expect(await ranged('bytes=-5')).toEqual([206, `bytes ${size - 5}-${size - 1}/${size}`, bytes.slice(-5)])
    expect((await ranged(`bytes=${size}-`)).slice(0, 2)).toEqual([416, `bytes */${size}`])
    expect((await ranged('bytes=-0'))[0]).toBe(416)
    expect((await ranged('frames=1-2'))[0]).toBe(200)

    const head = await host.get(clip.mediaUrl, {}, 'HEAD')
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(size)])
    const unchanged = await host.get(clip.mediaUrl, { 'if-none-match': whole.headers.get('etag') ?? '' })
    expect(unchanged.status).toBe(304)
  })

  it('include a picture, made once for many askers', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => host.get(clip.thumbnailUrl)))
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200))
    const picture = new Uint8Array(await answers[0]!.arrayBuffer())
    expect([...picture.slice(0, 3)]).toEqual([0xff, 0xd8, 0xff])
  })

  it('are reached by ids of the open project only', async () => {
    const [, , key] = clip.mediaUrl.split('/')
    for (const path of [
      `/media/${key}/clips/999/video`,
      `/media/000000000000/clips/${clip.id}/video`,
      `/media/${key}/clips/..%2f..%2fproject.sqlite/video`,
      `/media/${key}/clips/${clip.id}/other`,
    ]) {
      expect((await host.get(path)).status, path).toBe(404)
    }
    const broken = (await api.project.clips()).find(({ name }) => name === 'empty')!
    const answer = await host.get(broken.thumbnailUrl)
    expect([answer.status, await answer.text()]).toEqual([422, expect.stringContaining('empty')])
  })
})

describe('calls', () => {
  it('with wrong input are refused before they reach anything', async () => {
    await expect(api.jobs.cancel({ jobId: 'one' as unknown as number })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
    await expect(api.jobs.cancel({ jobId: 99 })).rejects.toMatchObject({ message: 'There is no job 99' })
  })

  it('reach many clients, who all hear of a change', async () => {
    const clients = await Promise.all([host.connect(), host.connect()])
    const logs = clients.map((client) => new EventLog(client))
    await new Promise((resolve) => setTimeout(resolve, 100))
    await api.project.close()
    for (const log of logs) {
      await log.until((event) => event.type === 'project', 5)
      log.stop()
    }
    await expect(api.project.clips()).rejects.toMatchObject({ message: 'No project is open' })
  })
})
