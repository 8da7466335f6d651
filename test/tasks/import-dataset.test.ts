import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile, appendFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { CancelledError } from '../../src-main/core/errors.ts'
import {
  importDataset,
  type ImportHooks,
  type ImportOptions,
  type ImportReport,
} from '../../src-main/tasks/import-dataset.ts'
import { planClips } from '../../src-main/tasks/preprocess-plan.ts'
import { filesIn, videos, writeHmdb51, writeTree, writeUcf101 } from './import-trees.ts'

let folder: string
let source: string
let output: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kineo-import-'))
  source = join(folder, 'source')
  output = join(folder, 'videos')
  await mkdir(source)
  return () => rm(folder, { recursive: true, force: true })
})

function bring(
  kind: ImportOptions['kind'],
  options: Partial<ImportOptions> = {},
  hooks: ImportHooks = {},
): Promise<ImportReport> {
  return importDataset({ kind, source, output, mode: 'link', dryRun: false, ...options }, hooks)
}

/** Classes and parts of what stands in the output, as `train/walk: 2`. */
async function counts(): Promise<string[]> {
  const places = (await filesIn(output)).filter((path) => path.includes('/'))
  const byFolder = Map.groupBy(places, (place) => place.slice(0, place.lastIndexOf('/')))
  return [...byFolder].map(([place, files]) => `${place}: ${files.length}`)
}

describe('HMDB51', () => {
  beforeEach(() => writeHmdb51(source, ['brush_hair', 'walk']))

  it('comes as its lists say, out of class folders within class folders, and is not changed', async () => {
    const before = await filesIn(source)
    const report = await bring('hmdb51')
    expect(report.parts).toEqual([
      { part: 'train', videos: 4, classes: 2 },
      { part: 'test', videos: 2, classes: 2 },
    ])
    expect(report).toMatchObject({ linked: 6, missing: 0, failed: [], labelMap: { brush_hair: 0, walk: 1 } })
    expect(report.notes).toEqual(['2 videos not in split 1 left out'])
    expect(await filesIn(join(output, 'train/walk'))).toEqual([
      '#2_(Film)!_walk_u_nm_np1_fr_goo_2.avi',
      '#3_(Film)!_walk_u_nm_np1_fr_goo_3.avi',
    ])
    expect(await filesIn(source)).toEqual(before)
    const { clips } = await planClips(output, null, 0)
    expect(clips.map(({ place }) => place.split('/').slice(0, 2).join('/'))).toEqual([
      ...['train/brush_hair', 'train/brush_hair', 'train/walk', 'train/walk'],
      ...['val/brush_hair', 'val/walk'],
    ])
  })

  it('takes the split and the classes that are asked for, and refuses to mix two splits', async () => {
    await bring('hmdb51', { split: 3, classes: ['Walk'] })
    expect(await filesIn(output)).toEqual([
      'test/walk/#3_(Film)!_walk_u_nm_np1_fr_goo_3.avi',
      'train/walk/#1_(Film)!_walk_u_nm_np1_fr_goo_1.avi',
      'train/walk/#2_(Film)!_walk_u_nm_np1_fr_goo_2.avi',
    ])
    await expect(bring('hmdb51', { split: 1 })).rejects.toThrow('A video that stands in')
    await expect(bring('hmdb51', { classes: ['brush_hiar'] })).rejects.toMatchObject({
      code: 'usage',
      remedy: 'Did you mean brush_hair?',
    })
  })

  it('finds the lists where --splits says', async () => {
    await mkdir(join(folder, 'lists'))
    const name = 'walk_test_split1.txt'
    await writeFile(
      join(folder, 'lists', name),
      await readFile(join(source, 'testTrainMulti_7030_splits', name)),
    )
    await rm(join(source, 'testTrainMulti_7030_splits'), { recursive: true })
    await expect(bring('hmdb51')).rejects.toThrow('There are no split files')
    expect((await bring('hmdb51', { splits: join(folder, 'lists') })).labelMap).toEqual({ walk: 0 })
  })

  it('names archives that are still packed, and goes on with those that were unpacked beside theirs', async () => {
    await writeTree(source, { 'walk.rar': 'Rar!', 'brush_hair.rar': 'Rar!' })
    expect((await bring('hmdb51', { dryRun: true })).missing).toBe(0)
    await rm(join(source, 'walk'), { recursive: true })
    await expect(bring('hmdb51')).rejects.toMatchObject({
      where: join(source, 'walk.rar'),
      remedy: expect.stringContaining('Unpack'),
    })
    expect((await bring('hmdb51', { classes: ['brush_hair'] })).linked).toBe(3)
  })

  it('lists videos that are missing in a file and takes the rest', async () => {
    await rm(join(source, 'walk/walk/#2_(Film)!_walk_u_nm_np1_fr_goo_2.avi'))
    const report = await bring('hmdb51')
    expect(report).toMatchObject({ linked: 5, missing: 1, missingList: join(output, 'missing-hmdb51.txt') })
    expect(await readFile(join(output, 'missing-hmdb51.txt'), 'utf8')).toBe(
      'train\twalk\twalk/#2_(Film)!_walk_u_nm_np1_fr_goo_2.avi\n',
    )
    await writeTree(source, videos('walk/walk/#2_(Film)!_walk_u_nm_np1_fr_goo_2.avi'))
    expect(await bring('hmdb51')).toMatchObject({ linked: 1, unchanged: 5, missing: 0, missingList: null })
    expect(await filesIn(output)).not.toContain('missing-hmdb51.txt')
  })

  it('tells the line of a list that is wrong', async () => {
    const list = join(source, 'testTrainMulti_7030_splits/walk_test_split1.txt')
    await appendFile(list, 'x.avi 3\n')
    await expect(bring('hmdb51')).rejects.toMatchObject({ where: `${list}, line 5` })
  })
})

describe('UCF101', () => {
  it('comes as its lists say', async () => {
    await writeUcf101(source, ['Archery', 'HandstandPushups'])
    const report = await bring('ucf101', { split: 2 })
    expect(report).toMatchObject({ linked: 6, missing: 0, labelMap: { Archery: 0, HandstandPushups: 1 } })
    expect(await filesIn(output)).toEqual([
      'test/Archery/v_Archery_g02_c01.avi',
      'test/HandstandPushups/v_HandStandPushups_g02_c01.avi',
      'train/Archery/v_Archery_g01_c01.avi',
      'train/Archery/v_Archery_g03_c01.avi',
      'train/HandstandPushups/v_HandStandPushups_g01_c01.avi',
      'train/HandstandPushups/v_HandStandPushups_g03_c01.avi',
    ])
  })

  it('says what is missing or packed', async () => {
    await writeTree(source, { 'UCF101.rar': 'Rar!' })
    await expect(bring('ucf101')).rejects.toThrow('The list trainlist01.txt is missing')
    await writeUcf101(source, ['Archery'])
    await rm(join(source, 'UCF-101'), { recursive: true })
    await expect(bring('ucf101')).rejects.toMatchObject({ where: join(source, 'UCF101.rar') })
    await rm(join(source, 'UCF101.rar'))
    await expect(bring('ucf101')).rejects.toThrow('None of the 3 listed videos is there')
    await appendFile(join(source, 'ucfTrainTestlist/trainlist01.txt'), 'Archery/v_Archery_g03_c02.avi 2\r\n')
    await expect(bring('ucf101')).rejects.toThrow('classInd.txt')
  })
})

describe('Kinetics', () => {
  const header = 'label,youtube_id,time_start,time_end,split,is_cc\n'

  it('is found in class folders with spaces or underscores, flat and by id, whatever the names begin with', async () => {
    await writeTree(source, {
      'annotations/train.csv': `${header}air drumming,-3B32lodo2M,59,69,train,0\n"air drumming",__id_1_2_3,0,10,train,0\nabseiling,whole,7,17,train,0\n`,
      'annotations/val.csv': `${header}abseiling,flat0000001,8,18,validate,0\nabseiling,gone,8,18,val,0\n`,
      'annotations/test.csv': `youtube_id,time_start,time_end,split\nunlabelled,8,18,test\n`,
      ...videos(
        'train/air drumming/-3B32lodo2M_000059_000069.mp4',
        'train/air_drumming/__id_1_2_3_000000_000010.mp4',
      ),
      ...videos(
        'whole.mkv',
        'flat0000001_8_18.mp4',
        'unlabelled_000008_000018.mp4',
        'other_000000_000010.mp4',
      ),
    })
    const report = await bring('kinetics')
    expect(report.notes).toEqual(['1 clip without a label left out'])
    expect(await filesIn(output)).toEqual([
      'missing-kinetics.txt',
      'train/abseiling/whole.mkv',
      'train/air drumming/-3B32lodo2M_000059_000069.mp4',
      'train/air drumming/__id_1_2_3_000000_000010.mp4',
      'val/abseiling/flat0000001_8_18.mp4',
    ])
    expect(await readFile(report.missingList!, 'utf8')).toBe('val\tabseiling\tgone_000008_000018\n')
    expect((await bring('kinetics', { classes: ['air_drumming'], dryRun: true })).parts).toEqual([
      { part: 'train', videos: 2, classes: 1 },
    ])
  })

  it('takes the replacement of a broken clip, and the clip of the right segment', async () => {
    await writeTree(source, {
      'val.csv': `${header}yoga,two,0,10,val,0\nyoga,two,30,40,val,0\ntai chi,broken,1,11,test,0\n`,
      ...videos('val/two_000000_000010.mp4', 'test/broken_000001_000011.mp4'),
      ...videos('replacement/replacement_for_corrupted_k400/broken_000001_000011.mp4', 'two.mp4'),
    })
    const report = await bring('kinetics')
    expect(report).toMatchObject({ linked: 2, missing: 1, hasTraining: false })
    expect(await readFile(join(output, 'test/tai chi/broken_000001_000011.mp4'), 'utf8')).toContain(
      'replacement',
    )
  })

  it('takes one table by name, and says which row is wrong', async () => {
    await writeTree(source, videos('a_000000_000010.mp4'))
    await expect(bring('kinetics')).rejects.toThrow('There is no table with the columns')
    const table = join(folder, 'my_validate.csv')
    await writeFile(table, 'label,youtube_id,time_start,time_end\nyoga,a,0,10\n')
    expect((await bring('kinetics', { splits: table })).parts).toEqual([
      { part: 'val', videos: 1, classes: 1 },
    ])
    await writeFile(table, `${header}yoga,a,zero,10,val,0\n`)
    await expect(bring('kinetics', { splits: table })).rejects.toMatchObject({ where: `${table}, line 2` })
  })
})

describe('a table', () => {
  const table = (): string => join(source, 'clips.csv')
  const bringTable = (options: Partial<ImportOptions> = {}): Promise<ImportReport> =>
    bring('csv', { source: table(), ...options })

  it.each([
    ['commas and a header', 'split,label,path\ntrain,wave,a.mp4\nval,"clap, once",b c.mp4\n'],
    [
      'semicolons, a byte order mark and CRLF',
      '\ufeffPath;Label;Split\r\na.mp4;wave;TRAIN\r\n"b c.mp4";clap, once;valid\r\n',
    ],
    ['tabs without a header', 'a.mp4\twave\ttraining\nb c.mp4\tclap, once\tvalidation'],
    ['a line for the separator', 'sep=;\nVideo;Class;Subset\na.mp4;wave;train\nb c.mp4;clap, once;val\n'],
    ['unknown names of columns', 'Datei;Klasse;Teil\na.mp4;wave;train\n./b c.mp4; clap, once ;dev\n'],
  ])('is read with %s', async (_, text) => {
    await writeTree(source, { 'clips.csv': text, ...videos('a.mp4', 'b c.mp4') })
    const report = await bringTable()
    expect(await filesIn(output)).toEqual(['train/wave/a.mp4', 'val/clap, once/b c.mp4'])
    expect(report.labelMap).toEqual({ 'clap, once': 0, wave: 1 })
  })

  it('may be in UTF-16 or Windows-1252', async () => {
    await writeTree(source, videos('a.mp4', 'b.mp4'))
    await writeFile(table(), Buffer.from('\ufeffpath\tlabel\r\na.mp4\tgrüßen\r\n', 'utf16le'))
    expect((await bringTable({ dryRun: true })).labelMap).toEqual({ grüßen: 0 })
    await writeFile(table(), Buffer.from('path,label\r\na.mp4,gr\xfc\xdfen\r\n', 'latin1'))
    expect((await bringTable({ dryRun: true })).labelMap).toEqual({ grüßen: 0 })
  })

  it('without a split stays undivided, or is divided by --val, and later videos change no side', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `wave/${i}.mp4`)
    await writeTree(source, {
      'clips.csv': names.map((name) => `${name},wave\n`).join(''),
      ...videos(...names),
    })
    await bringTable()
    expect(await counts()).toEqual(['wave: 10'])
    await expect(bringTable({ valFraction: 0.2 })).rejects.toThrow('holds classes without train/ and val/')
    await rm(output, { recursive: true })
    await bringTable({ valFraction: 0.2 })
    expect(await counts()).toEqual(['train/wave: 8', 'val/wave: 2'])
    const first = await filesIn(output)
    await expect(bringTable()).rejects.toMatchObject({ remedy: expect.stringContaining('--val') })

    const more = Array.from({ length: 10 }, (_, i) => `wave/_${i}.mp4`)
    await writeTree(source, videos(...more))
    await appendFile(table(), more.map((name) => `${name},wave\n`).join(''))
    expect(await bringTable({ valFraction: 0.2 })).toMatchObject({ linked: 10, unchanged: 10 })
    expect(await filesIn(output)).toEqual(expect.arrayContaining(first))
    expect(await counts()).toEqual(['train/wave: 16', 'val/wave: 4'])
  })

  it('of MMAction2 names videos and numbers of classes, and by its name the part', async () => {
    await writeTree(source, {
      'demo_train_list.txt': 'wave/a 1.mp4 1\nclap/b.mp4 0\n',
      'label_map.txt': 'clap\nwave\n',
      ...videos('videos/wave/a 1.mp4', 'videos/clap/b.mp4'),
    })
    const report = await bring('csv', { source: join(source, 'demo_train_list.txt') })
    expect(await filesIn(output)).toEqual(['train/clap/b.mp4', 'train/wave/a 1.mp4'])
    expect(report.notes.join()).toContain('label_map.txt')
    await writeFile(join(source, 'label_map.txt'), 'clap\n')
    await expect(bring('csv', { source: join(source, 'demo_train_list.txt') })).rejects.toThrow(
      'There is no class number 1',
    )
  })

  it('is read by the surest of several columns, and what is no video is left out', async () => {
    await writeTree(source, {
      'clips.csv':
        'clip_name,clip_path,label,class_name\na,/x/a.mp4,0,wave\nb,/x/b.txt,0,wave\nc,/x/c.mp4,1,clap\n',
      ...videos('x/a.mp4', 'x/b.txt', 'x/c.mp4'),
    })
    const report = await bringTable()
    expect(await filesIn(output)).toEqual(['clap/c.mp4', 'wave/a.mp4'])
    expect(report.notes).toEqual(['Left out, being no videos: /x/b.txt in line 3'])
  })

  it('may name videos elsewhere, by absolute paths and with backslashes', async () => {
    await writeTree(folder, videos('elsewhere/a.mp4', 'elsewhere/b.mp4'))
    await writeTree(source, {
      'clips.csv': `path,label\n..\\elsewhere\\a.mp4,wave\n${join(folder, 'elsewhere/b.mp4')},clap\n`,
    })
    expect((await bringTable()).missing).toBe(0)
    expect(await filesIn(output)).toEqual(['clap/b.mp4', 'wave/a.mp4'])
  })

  it.each([
    ['path,label,split\na.mp4,wave,train\na.mp4,wave,val\n', 'line 3', 'The video a.mp4 is wave in val here'],
    [
      'path,label\na.mp4,wave\n\n./a.mp4,clap\n',
      'line 4',
      'The video ./a.mp4 is clap here, but wave in line 2',
    ],
    ['path,label,split\na.mp4,wave,maybe\n', 'line 2', 'The split "maybe" is not train, val or test'],
    ['path,label,split\na.mp4,wave,train\nb.mp4,wave,\n', 'line 3', 'A row has no split'],
    ['path,label\na.mp4,"wave\n', 'line 2', 'A quoted cell does not end'],
    ['path,label\na.mp4,\n', 'line 2', 'A row has no label'],
    ['just text\nmore of it\n', 'clips.csv', 'The table is not understood'],
    ['', 'clips.csv', 'The table is not understood'],
    ['path,label\nx.mp4,wave\ny.mp4,wave\n', 'x.mp4', 'None of the 2 listed videos is there'],
    ['path,label\na.mp4,Wave\nb.mp4,wave\n', '"Wave" and "wave"', 'Two classes would share a folder'],
  ])('that is wrong is refused: %j', async (text, where, message) => {
    await writeTree(source, { 'clips.csv': text, ...videos('a.mp4', 'b.mp4') })
    const error: unknown = await bringTable().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      message: expect.stringContaining(message),
      where: expect.stringContaining(where),
    })
    expect(await filesIn(output)).toEqual([])
  })

  it('cannot lead out of the dataset by a label', async () => {
    await writeTree(source, {
      'clips.csv': 'path,label\na.mp4,../../x\nb.mp4,a/b\nc.mp4,..\nd.mp4,.hidden\n',
      ...videos('a.mp4', 'b.mp4', 'c.mp4', 'd.mp4'),
    })
    const report = await bringTable()
    expect(await filesIn(output)).toEqual(['__/c.mp4', '___.._x/a.mp4', '_hidden/d.mp4', 'a_b/b.mp4'].sort())
    expect(report.notes).toContain('The folder of class "a/b" is called "a_b"')
    expect((await planClips(output, null, 0)).clips).toHaveLength(4)
  })
})

describe('a folder', () => {
  it('of class folders keeps odd names, and gives videos of one name in sub-folders names of their own', async () => {
    const long = `${'ü'.repeat(125)}.mp4`
    await writeTree(source, {
      ...videos('wave #1/it\'s "a" 🎬.v2.mp4', 'wave #1/day 1/a.mp4', 'wave #1/day 2/A.mp4'),
      ...videos(
        'wave #1/x/y/b.mp4',
        'wave #1/z/y/b.mp4',
        'wave #1/b.mp4',
        `clap/1/${long}`,
        `clap/2/${long}`,
      ),
      ...videos('loose.mp4', '.hidden/a.mp4'),
      'wave #1/notes.txt': 'text',
    })
    const report = await bring('folder')
    expect(report.notes).toEqual([
      '1 video beside the class folders left out: they have no class',
      '6 videos in sub-folders of a class folder taken as that class',
    ])
    const names = (await filesIn(output)).map((path) => path.replace(/[0-9a-f]{8}\.mp4/, 'HASH.mp4'))
    expect(names.filter((name) => name.startsWith('wave'))).toEqual(
      [
        ...['wave #1/A_day 2.mp4', 'wave #1/a_day 1.mp4', 'wave #1/it\'s "a" 🎬.v2.mp4'],
        ...['wave #1/b_HASH.mp4', 'wave #1/b_HASH.mp4', 'wave #1/b_wave #1.mp4'],
      ].sort(),
    )
    expect(names.filter((name) => name.startsWith('clap'))).toEqual([
      `clap/${'ü'.repeat(124)}_1.mp4`,
      `clap/${'ü'.repeat(124)}_2.mp4`,
    ])
    expect(await bring('folder')).toMatchObject({ linked: 0, unchanged: 8 })
  })

  it('gives a video that has its place already no other when one of the same name is added', async () => {
    await writeTree(source, videos('wave/b/x.mp4', 'clap/y.mp4'))
    await bring('folder')
    await writeTree(source, videos('wave/a/x.mp4'))
    expect(await bring('folder')).toMatchObject({ linked: 1, unchanged: 2, failed: [] })
    expect(await filesIn(output)).toEqual(['clap/y.mp4', 'wave/x.mp4', 'wave/x_a.mp4'])
    expect(await readFile(join(output, 'wave/x.mp4'), 'utf8')).toContain('wave/b/x')
    expect(await bring('folder')).toMatchObject({ linked: 0, unchanged: 3 })
  })

  it('with train/, valid/ and test/ above keeps its parts', async () => {
    await writeTree(source, videos('Train/wave/a.mp4', 'valid/wave/a.mp4', 'test/wave/a.mp4', 'extra/x.mp4'))
    const report = await bring('folder')
    expect(await filesIn(output)).toEqual(['test/wave/a.mp4', 'train/wave/a.mp4', 'val/wave/a.mp4'])
    expect(report.notes).toEqual(['1 video outside of the class folders of train/, val/ and test/ left out'])
    await expect(bring('folder', { valFraction: 0.5 })).rejects.toThrow('is divided into train, val or test')
  })

  it('of videos named by class and number is understood only where this is clear', async () => {
    await writeTree(
      source,
      videos('climb_stairs_01.mp4', 'climb_stairs_02.mp4', 'wave-s1.mp4', 'wave-s2.mp4'),
    )
    await bring('folder')
    expect(await counts()).toEqual(['climb_stairs: 2', 'wave: 2'])
    await writeTree(source, videos('holiday.mp4'))
    await expect(bring('folder')).rejects.toThrow('The videos are not sorted into classes')
  })

  it('one level too high, empty or packed is refused with what to do', async () => {
    await expect(bring('folder')).rejects.toThrow('There are no videos in this folder')
    await writeTree(source, { 'all.zip': 'PK' })
    await expect(bring('folder')).rejects.toMatchObject({ remedy: expect.stringContaining('all.zip') })
    await writeTree(source, videos('set/wave/a.mp4', 'set/clap/b.mp4'))
    await expect(bring('folder')).rejects.toMatchObject({
      remedy: expect.stringContaining('import set itself'),
    })
  })

  it('with links in a circle comes to an end, and takes what links lead to', async (context) => {
    await writeTree(source, videos('wave/a.mp4', 'clap/c.mp4'))
    await writeTree(folder, videos('elsewhere/b.mp4'))
    try {
      await symlink(source, join(source, 'wave/round'))
      await symlink('../../elsewhere/b.mp4', join(source, 'wave/b.mp4'))
      await symlink('nowhere.mp4', join(source, 'wave/broken.mp4'))
    } catch {
      console.log('skipped: symbolic links cannot be made here')
      context.skip('no symbolic links')
    }
    const report = await bring('folder')
    expect(report.notes).toEqual([
      `Left out, since it leads back to a folder above: ${join(source, 'wave/round')}`,
    ])
    expect(report.failed).toEqual([
      {
        source: join(source, 'wave/broken.mp4'),
        place: 'wave/broken.mp4',
        reason: 'The file cannot be read',
      },
    ])
    expect(await filesIn(output)).toEqual(['clap/c.mp4', 'wave/a.mp4', 'wave/b.mp4'])
    expect((await stat(join(output, 'wave/b.mp4'))).ino).toBe(
      (await stat(join(folder, 'elsewhere/b.mp4'))).ino,
    )
  })

  it('gives at most so many videos of each class, and a greater limit adds to them', async () => {
    const names = ['wave', 'clap'].flatMap((name) => [0, 1, 2, 3, 4].map((n) => `${name}/${n}.mp4`))
    await writeTree(source, videos(...names))
    await bring('folder', { limit: 2 })
    expect(await counts()).toEqual(['clap: 2', 'wave: 2'])
    const first = await filesIn(output)
    expect(await bring('folder', { limit: 3 })).toMatchObject({ linked: 2, unchanged: 4 })
    expect(await filesIn(output)).toEqual(expect.arrayContaining(first))
  })
})

describe('the dataset', () => {
  beforeEach(() => writeTree(source, videos('wave/a.mp4', 'wave/b.mp4', 'clap/c.mp4')))

  it('shares the files of the source by links, or has copies of its own with their times', async () => {
    await bring('folder')
    const original = await stat(join(source, 'wave/a.mp4'))
    expect((await stat(join(output, 'wave/a.mp4'))).ino).toBe(original.ino)
    const copies = join(folder, 'copies')
    expect(await bring('folder', { output: copies, mode: 'copy' })).toMatchObject({ copied: 3, linked: 0 })
    const copy = await stat(join(copies, 'wave/a.mp4'))
    expect(copy.ino).not.toBe(original.ino)
    expect(Math.abs(copy.mtimeMs - original.mtimeMs)).toBeLessThan(1)
    expect(await bring('folder', { output: copies })).toMatchObject({ copied: 0, linked: 0, unchanged: 3 })
  })

  it('gathers several sources, whose videos may have the same names', async () => {
    await writeTree(output, { 'wave/a.mp4': 'another video', ...videos('jump/d.mp4') })
    const report = await bring('folder')
    expect(report).toMatchObject({ linked: 3, failed: [], labelMap: { clap: 0, jump: 1, wave: 2 } })
    expect(report.notes).toEqual([
      '1 video named after the folder, too, such as wave/a_wave.mp4: another video has the name',
    ])
    expect(await readFile(join(output, 'wave/a.mp4'), 'utf8')).toBe('another video')
    expect(await bring('folder')).toMatchObject({ linked: 0, unchanged: 3 })
  })

  it('keeps what is there even if it is no video', async () => {
    await mkdir(join(output, 'wave/a.mp4'), { recursive: true })
    const report = await bring('folder')
    expect(report.failed).toMatchObject([
      { place: 'wave/a.mp4', reason: expect.stringContaining('has its place') },
    ])
    expect(report).toMatchObject({ linked: 2 })
  })

  it('is not touched by a dry run, which tells the same', async () => {
    const dry = await bring('folder', { dryRun: true })
    expect(await filesIn(folder)).toEqual((await filesIn(source)).map((path) => `source/${path}`))
    const real = await bring('folder')
    expect(dry).toEqual({ ...real, dryRun: true, linked: 0 })
  })

  it('has whole files only when stopped, and another run goes on from there', async () => {
    await writeTree(source, videos(...Array.from({ length: 9 }, (_, n) => `jump/${n}.mp4`)))
    // The first of all, it fails while others are under way.
    await writeFile(join(source, 'clap/1.mp4'), '')
    const stop = new AbortController()
    const stopped = bring('folder', { mode: 'copy' }, { signal: stop.signal, onFailed: () => stop.abort() })
    await expect(stopped).rejects.toThrow(CancelledError)
    await expect(stopped).rejects.toThrow(/Stopped with [1-4] of 13 videos done/)
    expect(await filesIn(output)).not.toContain('jump/8.mp4')
    for (const path of await filesIn(output)) {
      expect(await readFile(join(output, path), 'utf8')).toBe(`video ${path}`)
    }
    const report = await bring('folder', { mode: 'copy' })
    expect(report.copied).toBeGreaterThan(0)
    expect(report.copied + report.unchanged).toBe(12)
    expect(report.unchanged).toBeLessThan(4)
    expect(await counts()).toEqual(['clap: 1', 'jump: 9', 'wave: 2'])
  })

  it('removes what a killed run left, and not what another is writing', async () => {
    await writeTree(output, {
      '.kineo-import/2147483646-00000000/half': 'half',
      [`.kineo-import/${process.pid}-00000000/half`]: 'half',
    })
    await bring('folder', { mode: 'copy' })
    expect((await filesIn(output)).filter((path) => path.startsWith('.'))).toEqual([
      `.kineo-import/${process.pid}-00000000/half`,
    ])
  })

  it('leaves out empty and unreadable videos and says so', async (context) => {
    await writeFile(join(source, 'wave/empty.mp4'), '')
    const report = await bring('folder')
    expect(report).toMatchObject({
      linked: 3,
      failed: [{ place: 'wave/empty.mp4', reason: 'The file is empty' }],
    })
    await chmod(join(source, 'wave/b.mp4'), 0)
    if (process.platform === 'win32' || process.getuid?.() === 0) {
      console.log('skipped: this user can read every file')
      context.skip('this user can read every file')
    }
    const unreadable = await bring('folder', { output: join(folder, 'second') })
    expect(unreadable.failed).toMatchObject([{ place: 'wave/b.mp4', reason: 'The file cannot be read' }, {}])
  })

  it.each([
    [{ output: 'source/out' }, 'The output lies in the input'],
    [{ output: 'source' }, 'Input and output are the same'],
    [{ output: '.' }, 'Videos of the source lie in the output'],
    [{ output: 'source/wave/a.mp4' }, 'The dataset would have the place of a file'],
    [{ source: 'nowhere' }, 'There is no such file or folder'],
    [{ source: 'source/wave/a.mp4' }, 'This is a file, not a folder'],
    [{ kind: 'csv' }, 'This is a folder, not a table'],
    [{ split: 1 }, '--split is for hmdb51 and ucf101, not folder'],
    [{ kind: 'hmdb51', split: 4 }, '--split must be 1, 2 or 3'],
    [{ kind: 'ucf101', valFraction: 0.1 }, '--val is for csv and folder'],
    [{ valFraction: 1 }, '--val must be above 0 and below 1'],
    [{ limit: 0 }, '--limit must be a whole number'],
    [{ labels: 'source' }, '--labels is for csv, not folder'],
    [{ splits: 'source' }, '--splits is for hmdb51, ucf101 and kinetics, not folder'],
  ] as [Partial<ImportOptions>, string][])('is refused with %j: %s', async (options, message) => {
    const paths = ['source', 'output', 'labels', 'splits'] as const
    for (const key of paths) if (options[key]) options = { ...options, [key]: join(folder, options[key]) }
    const before = await filesIn(folder)
    await expect(bring(options.kind ?? 'folder', options)).rejects.toThrow(message)
    expect(await filesIn(folder)).toEqual(before)
  })

  it('tells progress to the end', async () => {
    const seen: string[] = []
    await bring(
      'folder',
      {},
      { onProgress: ({ done, total, unit }) => seen.push(`${done}/${total} ${unit}`) },
    )
    expect(seen).toEqual(expect.arrayContaining(['5/null files seen', '0/3 videos', '3/3 videos']))
    expect(seen.at(-1)).toBe('3/3 videos')
  })
})
