/** Clips, classes, runs with their epochs and evaluation, and the queue of jobs. */
export const first = `
  CREATE TABLE project (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('videos', 'tao-dataset')),
    source_folder TEXT NOT NULL,
    is_sample INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE classes (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
  ) STRICT;

  CREATE TABLE clips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    class_id INTEGER NOT NULL REFERENCES classes (id),
    split TEXT NOT NULL CHECK (split IN ('train', 'val')),
    file_bytes INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    probed INTEGER NOT NULL DEFAULT 0,
    width INTEGER,
    height INTEGER,
    duration_seconds REAL,
    playable INTEGER,
    frame_count INTEGER,
    frames_folder TEXT,
    has_rgb INTEGER NOT NULL DEFAULT 0,
    has_flow INTEGER NOT NULL DEFAULT 0,
    problem TEXT
  ) STRICT;
  CREATE INDEX clips_by_class ON clips (class_id, split);

  CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    settings TEXT NOT NULL,
    class_names TEXT NOT NULL,
    val_clip_count INTEGER NOT NULL,
    created_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE epochs (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    train_loss REAL NOT NULL,
    train_accuracy REAL NOT NULL,
    val_loss REAL,
    val_accuracy REAL,
    learning_rate REAL NOT NULL,
    clips_per_second REAL NOT NULL,
    PRIMARY KEY (run_id, epoch)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE evaluations (
    run_id INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    accuracy REAL NOT NULL,
    mean_class_accuracy REAL NOT NULL,
    class_names TEXT NOT NULL,
    confusion TEXT NOT NULL
  ) STRICT;

  CREATE TABLE predictions (
    run_id INTEGER NOT NULL REFERENCES evaluations (run_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    clip_id INTEGER REFERENCES clips (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    prediction TEXT NOT NULL,
    scores TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('prepare', 'train', 'evaluate', 'export')),
    title TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
    run_id INTEGER REFERENCES runs (id) ON DELETE CASCADE,
    after_job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    options TEXT NOT NULL,
    progress TEXT,
    live TEXT,
    message TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    worker_pid INTEGER,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT
  ) STRICT;
  CREATE INDEX jobs_by_status ON jobs (status);
  CREATE INDEX jobs_by_run ON jobs (run_id, kind);
`
