import type { Job } from '../../src-main/api/contract/index.ts'
import { clockTime, count, counted, listed, remaining } from './format.ts'
import { exportTexts, reviewTexts } from './en-result.ts'
import { trainTexts } from './en-train.ts'

const clips = (value: number): string => counted(value, 'clip', 'clips')
const mistakes = (value: number): string => counted(value, 'mistake', 'mistakes')

/** Every word of the pages, by place. Sentences take their numbers as arguments. */
export const english = {
  shell: {
    noProject: 'No project',
    steps: 'Steps',
    skipToContent: 'Skip to content',
    search: 'Search or run a command',
    changeTheme: 'Change theme',
    theme: { auto: 'As the system', light: 'Light', dark: 'Dark', hc: 'High contrast' },
    connectionLost: 'Connection lost, trying again',
    connectionHint:
      'Work that is running goes on. If Kineo was started anew, open the address that it printed.',
    projectMenu: 'Project',
    recent: 'Opened before',
    closeProject: 'Close project',
    close: 'Close',
    loading: 'Loading',
    tryAgain: 'Try again',
    mark: {
      done: 'done',
      attention: 'needs a look',
      running: 'running',
      open: 'open',
      off: 'not yet possible',
    },
    allKeys: 'all keys',
    splits: { train: 'Training', val: 'Validation' },
  },
  step: {
    library: {
      title: 'Library',
      start: 'Start here',
      fact: (total: number, broken: number) => (broken > 0 ? `${clips(broken)} damaged` : clips(total)),
    },
    dataset: {
      title: 'Dataset',
      waits: 'After opening clips',
      running: (percentDone: string) => `Preparing, ${percentDone}`,
      missing: (value: number) => `${count(value)} to prepare`,
      ready: (value: number) => `${clips(value)} ready`,
    },
    train: {
      title: 'Train',
      waits: 'After preparing',
      ready: 'Ready to start',
      epoch: (epoch: number, epochs: number) => `Epoch ${epoch} of ${epochs}`,
      queued: 'Waiting to start',
      runs: (value: number) => counted(value, 'run', 'runs'),
    },
    review: {
      title: 'Review',
      waits: 'After training',
      evaluating: 'Checking',
      result: (name: string) => `${name} checked`,
      mistakes: (name: string, value: number) => `${name}, ${mistakes(value)}`,
    },
    export: {
      title: 'Export',
      waits: 'After training',
      open: 'Not exported yet',
      done: (name: string) => `${name} exported`,
    },
  },
  welcome: {
    title: 'Teach a model to recognise actions',
    lead: 'Bring in your clips, press Train, see what the model gets right. Everything stays on this computer. No account.',
    folder: {
      title: 'Open a folder of clips',
      body: 'Folders named after classes, with or without train and val above them, or a TAO dataset with rgb, u and v.',
      action: 'Choose folder',
    },
    sample: {
      title: 'Try the sample',
      body: 'Short clips of moving textures that only motion tells apart. From clips to a working model in a few minutes.',
      action: 'Open sample',
      busy: 'Making the sample clips, the first time only.',
      made: (done: number, total: number) => `${count(done)} of ${clips(total)}`,
    },
    recent: 'Opened before',
    path: 'How it goes',
    steps: [
      { title: '1. Open', body: 'Clips in folders named after what happens' },
      { title: '2. Prepare', body: 'Frames and motion, once' },
      { title: '3. Train', body: 'One button, live progress' },
      { title: '4. Review', body: 'See each mistake' },
      { title: '5. Export', body: 'ONNX, with labels' },
    ],
    machine: 'This computer can train.',
    machineFacts: (device: string, ffmpeg: string | null) =>
      ffmpeg === null ? `${device}.` : `${device}. ffmpeg ${ffmpeg}.`,
    noFfmpeg: 'No ffmpeg can be run, so videos cannot be read. Install ffmpeg or set KINEO_FFMPEG.',
  },
  folder: {
    title: 'Which folder holds the clips?',
    path: 'Folder',
    go: 'Go',
    up: 'One folder up',
    empty: 'No folders in here',
    videos: (value: number) => counted(value, 'video', 'videos'),
    nothing: 'Nothing to open here yet. Choose the folder that holds the class folders.',
    cancel: 'Cancel',
    open: 'Open this folder',
    opening: 'Reading the clips',
  },
  library: {
    title: 'Library',
    fact: (clipCount: number, classCount: number, source: string) =>
      `${clips(clipCount)} in ${counted(classCount, 'class', 'classes')}, from ${source}`,
    openOther: 'Open another folder',
    next: 'Go to Dataset',
    verdict: {
      noClips: {
        title: 'No clips found.',
        body: 'Open a folder whose folders are named after classes and hold videos.',
      },
      oneClass: {
        title: 'One class is not enough.',
        body: 'A model needs at least two classes to tell apart.',
      },
      broken: (broken: number, total: number) => ({
        title: `${clips(broken)} of ${count(total)} cannot be used.`,
        body: 'They stay out of training; the rest goes on. Each says why.',
      }),
      reading: (read: number, total: number) => ({
        title: 'Looking at the clips.',
        body: `${count(read)} of ${clips(total)} read. You can go on meanwhile.`,
      }),
      ready: (total: number, classCount: number) => ({
        title: 'Good to go.',
        body: `All ${clips(total)} of ${classCount} classes can be read. Look through them, then prepare the dataset.`,
      }),
    },
    classes: 'Classes',
    allClasses: 'All classes',
    filterName: 'Filter by name',
    splits: 'Part',
    all: 'All',
    clips: 'Clips',
    shown: (shown: number, total: number) =>
      shown === total ? clips(total) : `${count(shown)} of ${clips(total)}`,
    noneShown: 'No clip fits the filter',
    clearFilter: 'Clear filter',
    problem: 'Cannot be used',
    frames: (value: number) => `${count(value)} f`,
    counts: (train: number, val: number) => `${count(train)} for training, ${count(val)} for validation`,
    hints: { choose: 'choose a clip', play: 'play', dataset: 'Dataset' },
  },
  dataset: {
    title: 'Dataset',
    fact: (usable: number, clipCount: number, classCount: number, train: number, val: number) =>
      `${usable === clipCount ? clips(clipCount) : `${count(usable)} of ${clips(clipCount)} usable`}, ${counted(classCount, 'class', 'classes')}, ${count(train)} for training and ${count(val)} for validation`,
    verdict: {
      oneClass: {
        title: 'One class is not enough.',
        body: 'Add folders of other classes and open the folder again.',
      },
      emptyClasses: (names: string[]) => ({
        title: `No training clips for ${listed(names)}.`,
        body: 'Add clips to the folder and open it again, or take the class out.',
      }),
      unprepared: (missing: number, done: number) => ({
        title: `${clips(missing)} wait to be prepared.`,
        body:
          done === 0
            ? 'Prepare writes the frames and the motion between them, which training reads.'
            : `${clips(done)} are ready. Prepare does the rest; what is done stays done.`,
      }),
      noValidation: {
        title: 'No clips to check with.',
        body: 'Without validation clips nobody can say how good the model is. Put some into a val folder.',
      },
      uneven: (least: number, most: number) => ({
        title: 'Good to train, but uneven.',
        body: `Classes have from ${count(least)} to ${count(most)} training clips. The small ones will be found less often.`,
      }),
      few: (least: number) => ({
        title: 'Good to train. Small data.',
        body: `The smallest class has ${clips(least)}. More clips help most.`,
      }),
      ready: {
        title: 'Good to train.',
        body: 'All clips that can be used are prepared, and the classes are even.',
      },
    },
    balance: 'Balance',
    even: 'Even',
    uneven: 'Uneven',
    training: (value: number) => `training ${count(value)}`,
    validation: (value: number) => `validation ${count(value)}`,
    prepared: 'Prepared frames',
    preparedOf: (done: number, total: number) => `${count(done)} of ${clips(total)} ready`,
    method: 'Motion',
    methodDis: 'Optical flow, DIS',
    methodNone: 'None, pictures only',
    pictures: 'Pictures',
    yes: 'yes',
    no: 'no',
    size: 'On disk',
    source: 'From',
    withFlow: 'Also compute motion',
    withFlowHelp: 'Optical flow between frames. Needed where motion, not looks, tells the classes apart.',
    imported: 'This folder is a dataset already. Nothing to prepare.',
    prepare: (value: number) => `Prepare ${clips(value)}`,
    preparing: 'Preparing',
    preparingFact: (done: number, total: number | null, unit: string) =>
      total === null ? `${count(done)} ${unit}` : `${count(done)} of ${count(total)} ${unit}`,
    goTrain: 'Go to Train',
    stop: 'Stop',
    lengths: 'Clip length',
    allOneLength: 'All clips have the same length.',
    lengthsUnit: (median: string) => `seconds, median ${median}`,
    leftOut: 'Left out',
    parts: 'Training and validation',
    class: 'Class',
    preparedColumn: 'Prepared',
  },
  train: trainTexts,
  review: reviewTexts,
  export: exportTexts,
  jobs: {
    title: 'Jobs',
    none: 'No jobs',
    noneBody: 'Preparing, training and exporting show up here. They go on when the window is closed.',
    summary: (running: number, waiting: number) =>
      running + waiting === 0 ? 'none running' : `${running} running, ${waiting} waiting`,
    left: (seconds: number) => `${remaining(seconds)} left`,
    waits: 'Waits for its turn',
    stop: (title: string) => `Stop: ${title}`,
    safe: 'Safe to close the window.',
    fact: (job: Job) => {
      if (job.progress === null) return 'Starting.'
      const { done, total, unit, note } = job.progress
      const amount = total === null ? `${count(done)} ${unit}` : `${count(done)} of ${count(total)} ${unit}`
      return note === undefined ? `${amount}.` : `${amount}. ${note}`
    },
    ended: (job: Job) => {
      const words = {
        done: 'Done',
        failed: 'Failed',
        cancelled: 'Stopped',
        interrupted: 'Interrupted',
        queued: '',
        running: '',
      }
      return `${words[job.status]}: ${job.title}`
    },
    at: (iso: string) => clockTime(new Date(iso)),
    short: { prepare: 'Preparing', train: 'Training', evaluate: 'Checking', export: 'Exporting' },
  },
  charts: {
    validation: 'validation',
    training: 'training',
    epoch: 'Epoch',
    showTable: 'Show as table',
    showChart: 'Show as chart',
    best: (epoch: number) => `best, epoch ${epoch}`,
    reader: (epoch: number) => `Epoch ${epoch}`,
    summary: (title: string, epochs: number, last: string) =>
      `${title}, ${counted(epochs, 'epoch', 'epochs')}, last ${last}`,
    waiting: 'The first point comes with the end of epoch 1',
  },
  commands: {
    label: 'Command palette',
    noResult: 'No command fits',
    choose: 'choose',
    run: 'run',
    groups: { go: 'Go to', work: 'Commands', project: 'Project', view: 'View' },
    keysTitle: 'Keys',
    keysLead: 'Single letters work where no text field has the focus.',
    openFolder: 'Open a folder of clips',
    openSample: 'Open the sample',
    openRecent: (name: string) => `Open ${name}`,
    prepare: 'Prepare clips',
    startTraining: 'Start training',
    allSettings: 'All settings of the next run (Advanced)',
    stopTraining: 'Stop training',
    newRun: 'Set up a new run',
    exportOnnx: 'Export as ONNX',
    openExport: 'Open the folder of the exported model',
    nextStep: 'Next step',
    palette: 'Search or run a command',
    keys: 'Show all keys',
    jobs: 'Show jobs',
    nextTheme: 'Next theme',
    theme: (name: string) => `Theme: ${name}`,
    everywhere: 'On every page',
    fixed: {
      primary: 'The main button of the page',
      escape: 'Close what is open',
      play: 'Play or pause the clip',
      arrows: 'Move in grids, lists, charts and the matrix',
      pane: 'Next pane',
    },
  },
} as const
