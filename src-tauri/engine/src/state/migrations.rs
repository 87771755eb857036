//! The schema, step by step. Steps are only ever added: an older database is brought up by those that it lacks.

/// Each brings `user_version` up by one.
pub(super) const MIGRATIONS: &[&str] = &[
    // 1: deployments. `body` is the deployment as JSON; what is asked for by SQL stands beside it.
    "CREATE TABLE deployment (
        id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        active INTEGER NOT NULL CHECK (active IN (0, 1)),
        began TEXT NOT NULL,
        seen INTEGER NOT NULL DEFAULT 0,
        body TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE UNIQUE INDEX one_active ON deployment (active) WHERE active = 1;
    CREATE TABLE transition (
        seq INTEGER PRIMARY KEY,
        deployment TEXT NOT NULL REFERENCES deployment (id),
        version INTEGER NOT NULL,
        at TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        body TEXT NOT NULL,
        told INTEGER NOT NULL DEFAULT 0,
        UNIQUE (deployment, version)
    ) STRICT;
    CREATE TABLE denied (
        digest TEXT PRIMARY KEY,
        identity TEXT NOT NULL,
        at TEXT NOT NULL,
        why TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE stable (
        seq INTEGER PRIMARY KEY,
        digest TEXT NOT NULL,
        identity TEXT NOT NULL,
        asked TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT;
    CREATE TABLE launch (
        id TEXT PRIMARY KEY,
        deployment TEXT REFERENCES deployment (id),
        digest TEXT NOT NULL,
        claude_version TEXT NOT NULL,
        side TEXT NOT NULL,
        u REAL,
        weight REAL NOT NULL,
        why TEXT NOT NULL,
        at TEXT NOT NULL,
        cold INTEGER NOT NULL,
        seconds REAL,
        outcome TEXT,
        ended TEXT
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX launch_by_deployment ON launch (deployment, side, ended);
    CREATE INDEX launch_by_image ON launch (digest, ended);
    CREATE TABLE conversation (
        id TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        at TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;",
];
