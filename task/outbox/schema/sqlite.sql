CREATE TABLE IF NOT EXISTS dayfly_outbox (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  queue         TEXT NOT NULL DEFAULT '',
  body          TEXT NOT NULL,
  attributes    TEXT,
  trace_header  TEXT,
  message_group TEXT,
  dedup_id      TEXT,
  delay_seconds INTEGER,
  created_ms    INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
);

CREATE TABLE IF NOT EXISTS dayfly_outbox_dead (
  seq           INTEGER PRIMARY KEY,
  queue         TEXT NOT NULL,
  body          TEXT NOT NULL,
  attributes    TEXT,
  trace_header  TEXT,
  message_group TEXT,
  dedup_id      TEXT,
  delay_seconds INTEGER,
  created_ms    INTEGER NOT NULL,
  error         TEXT NOT NULL,
  failed_ms     INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS dayfly_outbox_relay (
  id         INTEGER PRIMARY KEY,
  version    INTEGER NOT NULL,
  owner      TEXT NOT NULL DEFAULT '',
  term       INTEGER NOT NULL DEFAULT 0,
  expires_ms INTEGER NOT NULL DEFAULT 0
);

INSERT INTO dayfly_outbox_relay (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING;
