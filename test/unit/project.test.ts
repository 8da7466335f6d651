import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KineoError } from '../../src-main/core/errors.ts'
import { openDatabase } from '../../src-main/project/database.ts'
import { migrations } from '../../src-main/project/migrations/index.ts'
import { freeProjectFolder, Project, projectOfSource, WorkerLock } from '../../src-main/project/index.ts'
import type { FoundClip } from '../../src-main/project/index.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kineo-project-'))
  process.env['KINEO_HOME'] = home
})

afterEach(() => {
  delete process.env['KINEO_HOME']
  rmSync(home, { recursive: true, force: true })
})

function newProject(name = 'gestures', sourceFolder = '/videos/gestures'): Project {
  return Project.create(join(home, name), { name, kind: 'videos', sourceFolder, isSample: false })
}

function found(path: string, details: Partial<FoundClip> = {}): FoundClip {
  const [className = '', file = ''] = path.split('/')
  return { path, name: file, className, split: 'train', fileBytes: 10, modifiedMs: 1, ...details }
}

describe('the database of a project', () => {
  it('runs missing migrations in order, each once, after a backup of what was there', () => {
    const folder = join(home, 'p')
    mkdirSync(folder)
    const first = 'CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)'
    openDatabase(folder, [first]).close()
    expect(readdirSync(folder)).not.toContain('backup')

    const connection = openDatabase(folder, [first, 'INSERT INTO a VALUES (2)', 'INSERT INTO a VALUES (3)'])
    expect(connection.prepare<[], { x: number }>('SELECT x FROM a').all()).toEqual([
      { x: 1 },
      { x: 2 },
      { x: 3 },
    ])
    expect(connection.pragma('user_version', { simple: true })).toBe(3)
    expect(connection.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1)
    connection.close()
    const backups = readdirSync(join(folder, 'backup')).sort()
    expect(backups.map((name) => name.slice(0, 10))).toEqual(['project-v1', 'project-v2'])
  })

  it('leaves the file as it was when a migration fails', () => {
    const folder = join(home, 'p')
    mkdirSync(folder)
    const first = 'CREATE TABLE a (x INTEGER) STRICT'
    openDatabase(folder, [first]).close()
    expect(() =>
      openDatabase(folder, [first, 'INSERT INTO a VALUES (1); INSERT INTO nowhere VALUES (1)']),
    ).toThrow(KineoError)
    const connection = openDatabase(folder, [first])
    expect(connection.prepare('SELECT count(*) AS n FROM a').get()).toEqual({ n: 0 })
    connection.close()
  })

  it('refuses a project of a newer Kineo and a file that is no database, in words', () => {
    const newer = join(home, 'newer')
    mkdirSync(newer)
    openDatabase(newer, ['CREATE TABLE a (x)', 'CREATE TABLE b (x)']).close()
    expect(() => openDatabase(newer, ['CREATE TABLE a (x)'])).toThrow('newer Kineo')

    const broken = join(home, 'broken')
    mkdirSync(broken)
    writeFileSync(join(broken, 'project.sqlite'), 'not a database at all'.repeat(100))
    expect(() => Project.open(broken)).toThrow('damaged')
    expect(() => Project.open(join(home, 'nothing'))).toThrow('no Kineo project')
  })
})

describe('a project of the version before', () => {
  it('keeps its runs, with their settings under the new names', () => {
    const folder = join(home, 'old')
    mkdirSync(folder)
    const connection = openDatabase(folder, migrations.slice(0, 1))
    connection.exec(`
      INSERT INTO project (id, key, name, kind, source_folder, created_at) VALUES (1, 'k', 'old', 'videos', '/v', 't');
      INSERT INTO runs (settings, class_names, val_clip_count, created_at) VALUES (
        '{"modelType":"rgb","frames":8,"size":112,"epochs":3,"batchSize":16,"learningRate":0.01,"horizontalFlip":true,"seed":1}',
        '["down","up"]', 4, 't');
      INSERT INTO epochs VALUES (1, 2, 1, 0.5, NULL, NULL, 0.01, 20);
      INSERT INTO evaluations VALUES (1, 1, 1, '["down","up"]', '[[1,0],[0,1]]');
    `)
    connection.close()
    const project = Project.open(folder)
    expect(project.runs.get(1)).toMatchObject({
      experiment: null,
      settings: {
        modelType: 'rgb',
        inputType: '2d',
        rgbFrames: 8,
        ofFrames: 8,
        height: 112,
        width: 112,
        epochs: 3,
        horizontalFlip: true,
        pretrained: false,
      },
    })
    expect(project.runs.evaluation(1)?.epochs).toBe(2)
    project.close()
  })
})

describe('clips of a project', () => {
  it('keep their ids and what is known of them while their files stay the same', () => {
    const project = newProject()
    project.clips.synchronise(['down', 'up'], [found('down/a.mp4'), found('up/b.mp4', { split: 'val' })])
    const [a, b] = project.clips.all()
    project.clips.setProbed(a!.id, {
      width: 320,
      height: 240,
      durationSeconds: 2,
      playable: true,
      problem: null,
    })
    project.clips.setPrepared(a!.id, {
      framesFolder: join(project.datasetFolder, 'train/down/a'),
      frameCount: 48,
      hasRgb: true,
      hasFlow: false,
    })
    const revision = project.clips.revision()

    expect(
      project.clips.synchronise(['down', 'up'], [found('down/a.mp4'), found('up/b.mp4', { split: 'val' })]),
    ).toBe(false)
    expect(project.clips.revision()).toBe(revision)

    // A class that comes first in the alphabet moves the label map, not the clips.
    project.clips.synchronise(
      ['circle', 'down', 'up'],
      [found('circle/c.mp4'), found('down/a.mp4'), found('up/b.mp4', { split: 'val' })],
    )
    expect(project.clips.classes()).toEqual([
      { index: 0, name: 'circle' },
      { index: 1, name: 'down' },
      { index: 2, name: 'up' },
    ])
    expect(project.clips.get(a!.id)).toMatchObject({
      className: 'down',
      width: 320,
      frameCount: 48,
      hasRgb: true,
    })
    expect(project.clips.get(b!.id)).toMatchObject({ className: 'up', split: 'val' })
    project.close()
  })

  it('are new again when their file changes, and go when it goes', () => {
    const project = newProject()
    project.clips.synchronise(['down', 'up'], [found('down/a.mp4'), found('up/b.mp4')])
    const [a, b] = project.clips.all()
    project.clips.setProblem(a!.id, 'broken')
    project.clips.synchronise(['down'], [found('down/a.mp4', { fileBytes: 11 })])
    expect(project.clips.get(a!.id)).toMatchObject({ problem: null, probed: false, framesFolder: null })
    expect(project.clips.get(b!.id)).toBeNull()
    project.close()
  })

  it('find their frames after the project has moved', async () => {
    const project = newProject('before')
    project.clips.synchronise(['down'], [found('down/a.mp4')])
    const [clip] = project.clips.all()
    const framesFolder = join(project.datasetFolder, 'train', 'down', 'a')
    project.clips.setPrepared(clip!.id, { framesFolder, frameCount: 3, hasRgb: true, hasFlow: true })
    project.close()
    const { renameSync } = await import('node:fs')
    renameSync(join(home, 'before'), join(home, 'after'))
    const moved = Project.open(join(home, 'after'))
    expect(moved.clips.get(clip!.id)?.framesFolder).toBe(join(home, 'after', 'dataset', 'train', 'down', 'a'))
    moved.close()
  })
})

describe('runs of a project', () => {
  const settings = {
    modelType: 'of',
    inputType: '2d',
    backbone: 'resnet_18',
    rgbFrames: 8,
    ofFrames: 10,
    height: 112,
    width: 112,
    epochs: 3,
    batchSize: 16,
    learningRate: 0.01,
    horizontalFlip: false,
    sampleStrategy: 'random_interval',
    pretrained: false,
    seed: 1234,
  } as const
  const experiment = { model: { model_type: 'of' }, train: { optim: { lr: 0.01 } } }
  const newRun = (valClipCount: number) => ({
    settings,
    experiment,
    classNames: ['down', 'up'],
    valClipCount,
  })
  const point = (epoch: number) => ({
    epoch,
    trainLoss: 1 / epoch,
    trainAccuracy: 0.5,
    valLoss: null,
    valAccuracy: null,
    learningRate: 0.01,
    clipsPerSecond: 20,
  })

  it('keep their epochs; one that is trained again drops those after it', () => {
    const project = newProject()
    const run = project.runs.add(newRun(4))
    for (const epoch of [1, 2, 3]) project.runs.putEpoch(run, point(epoch))
    project.runs.putEpoch(run, { ...point(2), trainLoss: 9 })
    expect(project.runs.epochs(run)).toEqual([point(1), { ...point(2), trainLoss: 9 }])
    expect(project.runs.get(run)).toMatchObject({
      id: 1,
      settings,
      experiment,
      classNames: ['down', 'up'],
      valClipCount: 4,
    })
    project.close()
  })

  it('keep the name of a clip in their results when the clip itself is gone', () => {
    const project = newProject()
    project.clips.synchronise(['down', 'up'], [found('down/a.mp4'), found('up/b.mp4')])
    const run = project.runs.add(newRun(1))
    const evaluation = {
      epochs: 3,
      accuracy: 1,
      meanClassAccuracy: 1,
      classNames: ['down', 'up'],
      confusion: [
        [1, 0],
        [0, 0],
      ],
      predictions: [
        {
          clipId: project.clips.all()[0]!.id,
          name: 'a',
          label: 'down',
          prediction: 'down',
          scores: [0.9, 0.1],
        },
      ],
    }
    project.runs.putEvaluation(run, evaluation)
    project.runs.putEvaluation(run, evaluation)
    expect(project.runs.evaluation(run)).toEqual(evaluation)
    project.clips.synchronise(['up'], [found('up/b.mp4')])
    expect(project.runs.evaluation(run)?.predictions).toEqual([
      { ...evaluation.predictions[0], clipId: null },
    ])
    project.close()
  })
})

describe('the home of projects', () => {
  it('finds the project of a source folder again and gives another source another folder', () => {
    newProject('gestures', '/videos/gestures').close()
    expect(projectOfSource('/videos/gestures')).toBe(join(home, 'gestures'))
    expect(projectOfSource('/elsewhere/gestures')).toBeNull()
    expect(freeProjectFolder('/elsewhere/gestures')).toBe(join(home, 'gestures 2'))
    expect(freeProjectFolder('/videos/Wave & clap')).toBe(join(home, 'Wave  clap'))
    expect(freeProjectFolder('/')).toBe(join(home, 'project'))
  })
})

describe('the worker lock', () => {
  it('is held by one process at a time and is free as soon as that one is gone', () => {
    mkdirSync(join(home, 'p'))
    const module = resolve('src-main/project/worker-lock.ts')
    const otherGets = (end: string): string =>
      spawnSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import { WorkerLock } from ${JSON.stringify(module)}
           console.log(WorkerLock.tryAcquire(${JSON.stringify(join(home, 'p'))}, 0) === null ? 'taken' : 'got it')
           ${end}`,
        ],
        { encoding: 'utf8' },
      ).stdout.trim()

    const lock = WorkerLock.tryAcquire(join(home, 'p'), 0)
    expect(lock).not.toBeNull()
    expect(otherGets('')).toBe('taken')
    lock!.release()
    expect(otherGets("process.kill(process.pid, 'SIGKILL')")).toBe('got it')
    const again = WorkerLock.tryAcquire(join(home, 'p'), 0)
    expect(again).not.toBeNull()
    again!.release()
  })
})
