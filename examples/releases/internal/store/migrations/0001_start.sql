-- Times are milliseconds since 1970, 0 is "not". Names are compared byte by
-- byte, so MySQL's tables get a binary collation at {options}.

CREATE TABLE IF NOT EXISTS projects (
  name       VARCHAR(214) NOT NULL PRIMARY KEY,
  created_at BIGINT NOT NULL
) {options};

CREATE TABLE IF NOT EXISTS manifests (
  project     VARCHAR(214) NOT NULL,
  file        VARCHAR(100) NOT NULL,
  imported_at BIGINT NOT NULL,
  notes       TEXT NOT NULL,
  PRIMARY KEY (project, file)
) {options};

CREATE TABLE IF NOT EXISTS requirements (
  project   VARCHAR(214) NOT NULL,
  file      VARCHAR(100) NOT NULL,
  ecosystem VARCHAR(8)   NOT NULL,
  name      VARCHAR(214) NOT NULL,
  version   VARCHAR(100) NOT NULL,
  wanted    VARCHAR(110) NOT NULL,
  direct    SMALLINT NOT NULL,
  dev       SMALLINT NOT NULL,
  elsewhere SMALLINT NOT NULL,
  line      INTEGER NOT NULL,
  note      VARCHAR(520) NOT NULL,
  PRIMARY KEY (project, file, ecosystem, name, version)
) {options};

CREATE TABLE IF NOT EXISTS packages (
  ecosystem         VARCHAR(8)   NOT NULL,
  name              VARCHAR(214) NOT NULL,
  status            VARCHAR(16)  NOT NULL,
  message           VARCHAR(520) NOT NULL,
  latest            VARCHAR(100) NOT NULL,
  published_at      BIGINT NOT NULL,
  registry          VARCHAR(300) NOT NULL,
  successor         VARCHAR(214) NOT NULL,
  successor_version VARCHAR(100) NOT NULL,
  checked_at        BIGINT NOT NULL,
  PRIMARY KEY (ecosystem, name)
) {options};

CREATE TABLE IF NOT EXISTS versions (
  ecosystem    VARCHAR(8)   NOT NULL,
  name         VARCHAR(214) NOT NULL,
  version      VARCHAR(100) NOT NULL,
  place        INTEGER NOT NULL,
  published_at BIGINT NOT NULL,
  withdrawn    VARCHAR(520) NOT NULL,
  PRIMARY KEY (ecosystem, name, version)
) {options};

CREATE TABLE IF NOT EXISTS updates (
  ecosystem    VARCHAR(8)   NOT NULL,
  name         VARCHAR(214) NOT NULL,
  from_version VARCHAR(100) NOT NULL,
  to_version   VARCHAR(100) NOT NULL,
  step         VARCHAR(16)  NOT NULL,
  behind       INTEGER NOT NULL,
  standing     SMALLINT NOT NULL,
  status       VARCHAR(16)  NOT NULL,
  message      VARCHAR(520) NOT NULL,
  summary      TEXT NOT NULL,
  found_at     BIGINT NOT NULL,
  advised_at   BIGINT NOT NULL,
  PRIMARY KEY (ecosystem, name, from_version, to_version)
) {options};

CREATE TABLE IF NOT EXISTS digests (
  day        VARCHAR(10)  NOT NULL,
  recipient  VARCHAR(254) NOT NULL,
  status     VARCHAR(16)  NOT NULL,
  updates    INTEGER NOT NULL,
  covered_to BIGINT NOT NULL,
  claimed_at BIGINT NOT NULL,
  PRIMARY KEY (day, recipient)
) {options};
