CREATE TABLE IF NOT EXISTS dayfly_outbox (
  seq           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  queue         VARCHAR(80) NOT NULL DEFAULT '',
  body          MEDIUMTEXT NOT NULL,
  attributes    MEDIUMTEXT,
  trace_header  TEXT,
  message_group VARCHAR(128),
  dedup_id      VARCHAR(128),
  delay_seconds INTEGER,
  created_ms    BIGINT NOT NULL DEFAULT (CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dayfly_outbox_dead (
  seq           BIGINT NOT NULL PRIMARY KEY,
  queue         VARCHAR(80) NOT NULL,
  body          MEDIUMTEXT NOT NULL,
  attributes    MEDIUMTEXT,
  trace_header  TEXT,
  message_group VARCHAR(128),
  dedup_id      VARCHAR(128),
  delay_seconds INTEGER,
  created_ms    BIGINT NOT NULL,
  error         TEXT NOT NULL,
  failed_ms     BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS dayfly_outbox_relay (
  id         SMALLINT NOT NULL PRIMARY KEY,
  version    INTEGER NOT NULL,
  owner      VARCHAR(64) NOT NULL DEFAULT '',
  term       BIGINT NOT NULL DEFAULT 0,
  expires_ms BIGINT NOT NULL DEFAULT 0
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT IGNORE INTO dayfly_outbox_relay (id, version) VALUES (1, 1);
