-- Conventions: ids are 16-byte blobs (UUID), hashes 32-byte blobs, times whole
-- milliseconds since 1970, names stand beside the key they are compared by
-- (NFKC and case folding, made by the program). Every row of a tenant is keyed
-- (tenant, id). Closed lists of words are checked by the program, which reads
-- them strictly; a CHECK on them could not grow without rebuilding its table.

-- What the program must know before it touches anything else.
CREATE TABLE schema_info (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    min_binary TEXT    NOT NULL
) STRICT;

INSERT INTO schema_info (id, min_binary) VALUES (1, '0.1.0');

CREATE TABLE tenants (
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name             TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
    name_key         TEXT    NOT NULL UNIQUE,
    display_name     TEXT    NOT NULL,
    display_name_key TEXT    NOT NULL,
    master           BLOB    REFERENCES tenants (id),
    lock_since       INTEGER,
    lock_until       INTEGER,
    lock_reason      TEXT,
    lock_cascade     INTEGER NOT NULL CHECK (lock_cascade IN (0, 1)),
    created_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    CONSTRAINT tenant_is_not_its_own_master CHECK (master <> id),
    CONSTRAINT tenant_lock_is_whole
        CHECK (lock_since IS NOT NULL OR coalesce(lock_until, lock_reason) IS NULL)
) STRICT;

CREATE INDEX tenants_by_master ON tenants (master, id) WHERE master IS NOT NULL;

-- Every tenant with each of its masters, and with itself at depth 0.
CREATE TABLE tenant_ancestors (
    tenant   BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    ancestor BLOB    NOT NULL REFERENCES tenants (id),
    depth    INTEGER NOT NULL CHECK ((depth = 0) = (tenant = ancestor) AND depth >= 0),
    PRIMARY KEY (tenant, ancestor)
) STRICT, WITHOUT ROWID;

CREATE INDEX tenant_ancestors_by_ancestor ON tenant_ancestors (ancestor, tenant);

CREATE TABLE tenant_settings (
    tenant   BLOB    NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    settings TEXT    NOT NULL CHECK (json_valid(settings)),
    version  INTEGER NOT NULL CHECK (version > 0)
) STRICT;

CREATE TABLE users (
    tenant           BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    user_name        TEXT    NOT NULL CHECK (length(user_name) BETWEEN 1 AND 254),
    user_name_key    TEXT    NOT NULL,
    display_name     TEXT    NOT NULL,
    display_name_key TEXT    NOT NULL,
    email            TEXT,
    email_key        TEXT,
    email_verified   INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    status           TEXT    NOT NULL,
    lock_since       INTEGER,
    lock_until       INTEGER,
    lock_reason      TEXT,
    lock_cascade     INTEGER NOT NULL CHECK (lock_cascade IN (0, 1)),
    must_change      TEXT,
    credential_epoch INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT user_email_has_its_key CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT user_lock_is_whole
        CHECK (lock_since IS NOT NULL OR coalesce(lock_until, lock_reason) IS NULL)
) STRICT;

-- The key first: the same index finds a user in one tenant and in all of them.
CREATE UNIQUE INDEX users_by_name ON users (user_name_key, tenant);
CREATE UNIQUE INDEX users_by_verified_email ON users (email_key, tenant)
    WHERE email_verified = 1 AND email_key IS NOT NULL;

CREATE TABLE user_grants (
    tenant BLOB NOT NULL,
    user   BLOB NOT NULL,
    name   TEXT NOT NULL,
    PRIMARY KEY (tenant, user, name),
    FOREIGN KEY (tenant, user) REFERENCES users (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX user_grants_by_name ON user_grants (name, tenant, user);

CREATE TABLE records (
    tenant     BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    provider   TEXT    NOT NULL CHECK (length(provider) BETWEEN 1 AND 32),
    user       BLOB,
    key        BLOB    CHECK (length(key) = 32),
    label      TEXT    NOT NULL,
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    sealed     BLOB    NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, user) REFERENCES users (tenant, id) ON DELETE CASCADE,
    CONSTRAINT record_label_is_short CHECK (length(label) <= 100),
    CONSTRAINT record_is_at_most_64_kib CHECK (length(sealed) <= 65536)
) STRICT;

CREATE UNIQUE INDEX records_by_key ON records (tenant, provider, key) WHERE key IS NOT NULL;
CREATE INDEX records_by_user ON records (tenant, user, provider, id) WHERE user IS NOT NULL;
CREATE INDEX records_by_expiry ON records (tenant, expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE flows (
    handle     BLOB    NOT NULL PRIMARY KEY CHECK (length(handle) = 32),
    version    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sealed     BLOB    NOT NULL,
    CONSTRAINT flow_is_at_most_256_kib CHECK (length(sealed) <= 262144)
) STRICT;

CREATE INDEX flows_by_expiry ON flows (expires_at);

-- No reference to tenants or users: the rows outlive them.
CREATE TABLE sessions (
    tenant           BLOB    NOT NULL CHECK (length(tenant) = 16),
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    user             BLOB    NOT NULL CHECK (length(user) = 16),
    token_hash       BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    tenant_name      TEXT    NOT NULL,
    user_name        TEXT    NOT NULL,
    application      TEXT,
    factors          TEXT    NOT NULL CHECK (json_valid(factors)),
    scope            TEXT,
    client           TEXT    NOT NULL CHECK (json_valid(client)),
    credential_epoch INTEGER NOT NULL,
    started_at       INTEGER NOT NULL,
    last_active_at   INTEGER NOT NULL,
    idle_seconds     INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    end_reason       TEXT,
    PRIMARY KEY (tenant, id),
    CONSTRAINT session_end_is_whole CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX sessions_by_user ON sessions (tenant, user, id);
CREATE INDEX open_sessions ON sessions (tenant, id) WHERE ended_at IS NULL;
CREATE INDEX open_sessions_by_end
    ON sessions (min(last_active_at + max(idle_seconds, 0) * 1000, expires_at))
    WHERE ended_at IS NULL;

CREATE TABLE limits (
    key           BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    count         INTEGER NOT NULL,
    since         INTEGER NOT NULL,
    blocked_until INTEGER,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX limits_by_expiry ON limits (expires_at);

-- No reference to tenants: the entries outlive them. An empty tenant is the
-- platform's own log, so that (tenant, id) can be the key. Lists walk that key
-- backwards, newest first.
CREATE TABLE audit_events (
    tenant      BLOB    NOT NULL CHECK (length(tenant) IN (0, 16)),
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL CHECK (json_valid(actor)),
    action      TEXT    NOT NULL,
    object_kind TEXT    NOT NULL,
    object_id   TEXT,
    outcome     TEXT    NOT NULL,
    reason      TEXT,
    changes     TEXT    NOT NULL CHECK (json_valid(changes)),
    client      TEXT    NOT NULL CHECK (json_valid(client)),
    PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX audit_events_by_action ON audit_events (tenant, action, id);
CREATE INDEX audit_events_by_object ON audit_events (tenant, object_id, id)
    WHERE object_id IS NOT NULL;

CREATE TABLE installation (
    name    TEXT    NOT NULL PRIMARY KEY,
    value   BLOB    NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    CONSTRAINT installation_value_is_at_most_64_kib CHECK (length(value) <= 65536)
) STRICT;

-- What memory tables, in this process and others, are told. Committed numbers
-- have no gaps, so a listener sees when it slept longer than rows are kept.
CREATE TABLE changes (
    seq    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    tenant BLOB    NOT NULL CHECK (length(tenant) = 16),
    what   TEXT    NOT NULL,
    object BLOB    CHECK (length(object) = 16)
) STRICT;
