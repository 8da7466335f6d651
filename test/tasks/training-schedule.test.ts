import { describe, expect, it } from 'vitest'
import { BestEpoch } from '../../src-main/tasks/training/best-epoch.ts'
import {
  createSchedule,
  type LearningRateSchedule,
  type ScheduleSettings,
} from '../../src-main/tasks/training/schedule.ts'

// The expected rates are those of torch 1.13 (MultiStepLR, CosineAnnealingLR, ReduceLROnPlateau), stepped once an epoch.

const settings = (over: Partial<ScheduleSettings>): ScheduleSettings => ({
  lr: 0.1,
  lr_scheduler: 'MultiStep',
  lr_steps: [],
  lr_decay: 0.5,
  lr_monitor: 'val_loss',
  patience: 1,
  min_lr: 0,
  threshold: 0.001,
  warmup_epochs: 0,
  ...over,
})

function rateOf(schedule: LearningRateSchedule, epoch: number): number {
  return schedule.rateAt({ epoch, step: 0, stepsPerEpoch: 4 })
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length)
  actual.forEach((value, i) => expect(value / (expected[i] ?? NaN)).toBeCloseTo(1, 12))
}

describe('MultiStep', () => {
  it('falls at its steps, twice where a step stands twice', () => {
    const schedule = createSchedule(settings({ lr_steps: [2, 4, 4] }), 6)
    expect([0, 1, 2, 3, 4, 5].map((epoch) => rateOf(schedule, epoch))).toEqual([
      0.1, 0.1, 0.05, 0.05, 0.0125, 0.0125,
    ])
  })
})

describe('Cosine', () => {
  const cosine = [
    0.05, 0.048135048546526525, 0.04282411613907041, 0.0348757440929447, 0.0255, 0.0161242559070553,
    0.008175883860929586, 0.002864951453473475,
  ]

  it('falls as torch.optim.lr_scheduler.CosineAnnealingLR', () => {
    const schedule = createSchedule(settings({ lr_scheduler: 'Cosine', lr: 0.05, min_lr: 0.001 }), 8)
    expectClose(
      cosine.map((_, epoch) => rateOf(schedule, epoch)),
      cosine,
    )
  })

  it('begins behind the warm-up', () => {
    const over = { lr_scheduler: 'Cosine', lr: 0.05, min_lr: 0.001, warmup_epochs: 2 } as const
    const schedule = createSchedule(settings(over), 10)
    expectClose(
      cosine.map((_, epoch) => rateOf(schedule, epoch + 2)),
      cosine,
    )
  })
})

describe('warm-up', () => {
  it('rises with every step to the full rate', () => {
    const schedule = createSchedule(settings({ warmup_epochs: 2, lr: 0.8 }), 10)
    const rates = [0, 1, 2].flatMap((epoch) =>
      [0, 1].map((step) => schedule.rateAt({ epoch, step, stepsPerEpoch: 2 })),
    )
    expectClose(rates, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
  })
})

describe('AutoReduce', () => {
  const losses = [
    2.0, 1.5, 1.4999, 1.499, 1.4984, 1.6, 1.2, 1.2, 1.1995, 1.1989, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3,
  ]
  const reduced = [
    0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125, 0.00625, 0.00625, 0.004,
    0.004, 0.004,
  ]
  const plateau = settings({ lr_scheduler: 'AutoReduce', min_lr: 0.004 })

  function follow(schedule: LearningRateSchedule, values: readonly (number | null)[], first = 0): number[] {
    return values.map((val_loss, i) => {
      const rate = rateOf(schedule, first + i)
      schedule.endEpoch({ train_loss: 9, val_loss })
      return rate
    })
  }

  it('falls as torch.optim.lr_scheduler.ReduceLROnPlateau, not below min_lr', () => {
    expectClose(follow(createSchedule(plateau, 18), losses), reduced)
  })

  it('without patience falls at every epoch that is no better, down to torch’s smallest drop', () => {
    const eager = createSchedule(settings({ lr_scheduler: 'AutoReduce', lr_decay: 0.1, patience: 0 }), 18)
    expectClose(
      follow(eager, losses),
      [
        0.1, 0.1, 0.1, 0.01, 0.001, 0.001, 0.0001, 0.0001, 1e-5, 1e-6, 1e-7, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8,
        1e-8, 1e-8,
      ],
    )
  })

  it('goes on from its saved state as if there had been no stop', () => {
    for (const stop of [1, 5, 11]) {
      const before = createSchedule(plateau, 18)
      const rates = follow(before, losses.slice(0, stop))
      const saved = JSON.parse(JSON.stringify(before.state())) as ReturnType<typeof before.state>
      const after = createSchedule(plateau, 18, saved)
      expectClose([...rates, ...follow(after, losses.slice(stop), stop)], reduced)
    }
  })

  it('counts only the epochs that were validated', () => {
    const sparse = losses.flatMap((loss) => [null, loss])
    const rates = follow(createSchedule(plateau, 36), sparse)
    expectClose(
      rates.filter((_, i) => i % 2 === 1),
      reduced,
    )
  })

  it('watches the training loss when asked to', () => {
    const schedule = createSchedule({ ...plateau, lr_monitor: 'train_loss', patience: 0 }, 9)
    schedule.endEpoch({ train_loss: 1, val_loss: 5 })
    schedule.endEpoch({ train_loss: 1, val_loss: 1 })
    expect(rateOf(schedule, 2)).toBe(0.05)
  })

  it('never raises a rate that is below min_lr already', () => {
    const schedule = createSchedule({ ...plateau, min_lr: 1, patience: 0 }, 9)
    follow(schedule, [1, 1, 1])
    expect(rateOf(schedule, 3)).toBe(0.1)
  })
})

describe('the best epoch', () => {
  it('is the one of highest accuracy, of equals that of lowest loss, of these the first', () => {
    const best = new BestEpoch()
    const better = [
      [0.5, 2],
      [0.5, 2],
      [0.5, 1.5],
      [0.6, 3],
      [0.5, 0.1],
    ].map(([accuracy = 0, loss = 0], epoch) => best.observe({ epoch, accuracy, loss }))
    expect(better).toEqual([true, false, true, true, false])
    expect(best.epoch).toEqual({ epoch: 3, accuracy: 0.6, loss: 3 })
  })

  it('is stale after as many epochs as one has patience for, also behind a stop', () => {
    const best = new BestEpoch()
    expect(best.isStale(2)).toBe(false)
    best.observe({ epoch: 3, accuracy: 0.6, loss: 3 })
    best.observe({ epoch: 4, accuracy: 0.5, loss: 3 })
    const resumed = new BestEpoch(best.state())
    expect(resumed.isStale(2)).toBe(false)
    resumed.observe({ epoch: 5, accuracy: 0.5, loss: 3 })
    expect([3, 2, 0].map((patience) => resumed.isStale(patience))).toEqual([false, true, false])
    expect(new BestEpoch(resumed.state()).isStale(2)).toBe(true)
  })

  it('does not get stale while nothing is validated', () => {
    const best = new BestEpoch()
    best.observe({ epoch: 4, accuracy: 0.6, loss: 3 })
    expect(best.isStale(1)).toBe(false)
  })
})
