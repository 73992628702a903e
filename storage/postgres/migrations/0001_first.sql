-- Conventions: {tenant_role} and {platform_role} stand for the two roles that
-- units of work run as; neither owns anything, neither can log in, and neither
-- can look past row security. Hashes are 32 bytes, times whole milliseconds,
-- names stand beside the key they are compared by (NFKC and case folding, made
-- by the program) and every text that is compared or sorted is compared by its
-- bytes. Every row of a tenant is keyed (tenant, id). Closed lists of words are
-- checked by the program, which reads them strictly. Documents are json, which
-- keeps every text; jsonb refuses the character NUL.

-- What the program must know before it touches anything else.
CREATE TABLE schema_info (
    id            integer NOT NULL PRIMARY KEY CHECK (id = 1),
    min_binary    text    NOT NULL,
    tenant_role   text    NOT NULL,
    platform_role text    NOT NULL
);

-- The tenant of the present transaction; none where none was set. A setting
-- that was set once in a connection falls back to an empty text, not to nothing.
CREATE FUNCTION current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('gatelodge.tenant', true), '')::uuid;

-- When a session ends if it is not used again. Seconds, unlike days, are the
-- same length everywhere, so this depends on nothing but its arguments; more
-- of them than there are until the last time that is kept are as many.
CREATE FUNCTION session_ends_at(last_active_at timestamptz, idle_seconds bigint, expires_at timestamptz)
    RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN least(
        last_active_at + make_interval(secs => least(greatest(idle_seconds, 0), 8000000000000)::double precision),
        expires_at
    );

CREATE TABLE tenants (
    id               uuid        NOT NULL PRIMARY KEY,
    name             text        NOT NULL COLLATE "C" CHECK (length(name) BETWEEN 1 AND 50),
    name_key         text        NOT NULL COLLATE "C",
    display_name     text        NOT NULL,
    display_name_key text        NOT NULL COLLATE "C",
    master           uuid        REFERENCES tenants (id),
    lock_since       timestamptz,
    lock_until       timestamptz,
    lock_reason      text,
    lock_cascade     boolean     NOT NULL,
    created_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    CONSTRAINT tenants_name_key UNIQUE (name_key),
    CONSTRAINT tenant_is_not_its_own_master CHECK (master <> id),
    CONSTRAINT tenant_lock_is_whole
        CHECK (lock_since IS NOT NULL OR (lock_until IS NULL AND lock_reason IS NULL))
);

CREATE INDEX tenants_by_master ON tenants (master, id) WHERE master IS NOT NULL;

-- Every tenant with each of its masters, and with itself at depth 0.
CREATE TABLE tenant_ancestors (
    tenant   uuid    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    ancestor uuid    NOT NULL REFERENCES tenants (id),
    depth    integer NOT NULL CHECK ((depth = 0) = (tenant = ancestor) AND depth >= 0),
    PRIMARY KEY (tenant, ancestor)
);

CREATE INDEX tenant_ancestors_by_ancestor ON tenant_ancestors (ancestor, tenant);

CREATE TABLE tenant_settings (
    tenant   uuid   NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    settings json   NOT NULL,
    version  bigint NOT NULL CHECK (version > 0)
);

CREATE TABLE users (
    tenant           uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id               uuid        NOT NULL,
    user_name        text        NOT NULL CHECK (length(user_name) BETWEEN 1 AND 254),
    user_name_key    text        NOT NULL COLLATE "C",
    display_name     text        NOT NULL,
    display_name_key text        NOT NULL COLLATE "C",
    email            text,
    email_key        text        COLLATE "C",
    email_verified   boolean     NOT NULL,
    status           text        NOT NULL,
    lock_since       timestamptz,
    lock_until       timestamptz,
    lock_reason      text,
    lock_cascade     boolean     NOT NULL,
    must_change      text,
    credential_epoch bigint      NOT NULL,
    created_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT user_email_has_its_key CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT user_lock_is_whole
        CHECK (lock_since IS NOT NULL OR (lock_until IS NULL AND lock_reason IS NULL))
);

-- The key first: the same index finds a user in one tenant and in all of them.
CREATE UNIQUE INDEX users_by_name ON users (user_name_key, tenant);
CREATE UNIQUE INDEX users_by_verified_email ON users (email_key, tenant)
    WHERE email_verified AND email_key IS NOT NULL;

CREATE TABLE user_grants (
    tenant uuid NOT NULL,
    "user" uuid NOT NULL,
    name   text NOT NULL COLLATE "C",
    PRIMARY KEY (tenant, "user", name),
    FOREIGN KEY (tenant, "user") REFERENCES users (tenant, id) ON DELETE CASCADE
);

CREATE INDEX user_grants_by_name ON user_grants (name, tenant, "user");

CREATE TABLE records (
    tenant     uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    provider   text        NOT NULL COLLATE "C" CHECK (length(provider) BETWEEN 1 AND 32),
    "user"     uuid,
    key        bytea       CHECK (length(key) = 32),
    label      text        NOT NULL,
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    sealed     bytea       NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, "user") REFERENCES users (tenant, id) ON DELETE CASCADE,
    CONSTRAINT record_label_is_short CHECK (length(label) <= 100),
    CONSTRAINT record_is_at_most_64_kib CHECK (length(sealed) <= 65536)
);

CREATE UNIQUE INDEX records_by_key ON records (tenant, provider, key) WHERE key IS NOT NULL;
CREATE INDEX records_by_user ON records (tenant, "user", provider, id) WHERE "user" IS NOT NULL;
CREATE INDEX records_by_expiry ON records (tenant, expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE flows (
    handle     bytea       NOT NULL PRIMARY KEY CHECK (length(handle) = 32),
    version    bigint      NOT NULL,
    expires_at timestamptz NOT NULL,
    sealed     bytea       NOT NULL,
    CONSTRAINT flow_is_at_most_256_kib CHECK (length(sealed) <= 262144)
);

CREATE INDEX flows_by_expiry ON flows (expires_at);

-- No reference to tenants or users: the rows outlive them.
CREATE TABLE sessions (
    tenant           uuid        NOT NULL,
    id               uuid        NOT NULL,
    "user"           uuid        NOT NULL,
    token_hash       bytea       NOT NULL CHECK (length(token_hash) = 32),
    tenant_name      text        NOT NULL,
    user_name        text        NOT NULL,
    application      text,
    factors          json        NOT NULL,
    scope            text,
    client           json        NOT NULL,
    credential_epoch bigint      NOT NULL,
    started_at       timestamptz NOT NULL,
    last_active_at   timestamptz NOT NULL,
    idle_seconds     bigint      NOT NULL,
    expires_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text,
    PRIMARY KEY (tenant, id),
    CONSTRAINT sessions_token_hash_key UNIQUE (token_hash),
    CONSTRAINT session_end_is_whole CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX sessions_by_user ON sessions (tenant, "user", id);
CREATE INDEX open_sessions ON sessions (tenant, id) WHERE ended_at IS NULL;
CREATE INDEX open_sessions_by_end ON sessions (session_ends_at(last_active_at, idle_seconds, expires_at))
    WHERE ended_at IS NULL;

CREATE TABLE limits (
    key           bytea       NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    count         bigint      NOT NULL,
    since         timestamptz NOT NULL,
    blocked_until timestamptz,
    expires_at    timestamptz NOT NULL
);

CREATE INDEX limits_by_expiry ON limits (expires_at);

-- No reference to tenants: the entries outlive them. Without a tenant they are
-- the platform's own log. Lists walk the key backwards, newest first. The roles
-- may add and read entries; nothing changes or removes one.
CREATE TABLE audit_events (
    tenant      uuid,
    id          uuid        NOT NULL,
    at          timestamptz NOT NULL,
    actor       json        NOT NULL,
    action      text        NOT NULL COLLATE "C",
    object_kind text        NOT NULL,
    object_id   text        COLLATE "C",
    outcome     text        NOT NULL,
    reason      text,
    changes     json        NOT NULL,
    client      json        NOT NULL,
    CONSTRAINT audit_events_key UNIQUE NULLS NOT DISTINCT (tenant, id)
);

CREATE INDEX audit_events_by_action ON audit_events (tenant, action, id);
CREATE INDEX audit_events_by_object ON audit_events (tenant, object_id, id) WHERE object_id IS NOT NULL;

CREATE TABLE installation (
    name    text   NOT NULL COLLATE "C" PRIMARY KEY,
    value   bytea  NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    CONSTRAINT installation_value_is_at_most_64_kib CHECK (length(value) <= 65536)
);

-- What memory tables, in this process and others, are told. A listener knows a
-- row as new by its transaction: numbers of a sequence commit out of order.
CREATE TABLE changes (
    xid    xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq    bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    at     timestamptz NOT NULL,
    tenant uuid        NOT NULL,
    what   text        NOT NULL,
    object uuid,
    PRIMARY KEY (xid, seq)
);

-- Who may do what ----------------------------------------------------------

GRANT USAGE ON SCHEMA gatelodge TO {tenant_role}, {platform_role};
GRANT SELECT ON schema_info, schema_migrations TO {tenant_role}, {platform_role};

GRANT SELECT, UPDATE ON tenants TO {tenant_role};
GRANT SELECT ON tenant_ancestors TO {tenant_role};
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_settings, users, user_grants, records, sessions, flows, limits
    TO {tenant_role};
GRANT SELECT, INSERT ON audit_events TO {tenant_role};
GRANT INSERT ON changes TO {tenant_role};

GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, tenant_ancestors, tenant_settings, flows, limits, installation
    TO {platform_role};
GRANT SELECT (tenant, id, user_name_key, email_key, email_verified) ON users TO {platform_role};
GRANT SELECT ON user_grants TO {platform_role};
GRANT SELECT, UPDATE (last_active_at, ended_at, end_reason) ON sessions TO {platform_role};
GRANT SELECT, INSERT ON audit_events TO {platform_role};
GRANT SELECT, INSERT, DELETE ON changes TO {platform_role};

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tenant_ancestors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tenant_settings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE user_grants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE installation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE changes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- A tenant reads its own row and its masters', and changes its own.
CREATE POLICY masters ON tenants FOR SELECT TO {tenant_role}
    USING (id IN (SELECT ancestor FROM tenant_ancestors WHERE tenant = current_tenant()));
CREATE POLICY own ON tenants FOR UPDATE TO {tenant_role}
    USING (id = current_tenant()) WITH CHECK (id = current_tenant());
CREATE POLICY own ON tenant_ancestors FOR SELECT TO {tenant_role} USING (tenant = current_tenant());
CREATE POLICY masters ON tenant_settings FOR SELECT TO {tenant_role}
    USING (tenant IN (SELECT ancestor FROM tenant_ancestors WHERE tenant = current_tenant()));
CREATE POLICY own ON tenant_settings TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());

-- Everything else is the tenant's own.
CREATE POLICY own ON users TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY own ON user_grants TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY own ON records TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY own ON sessions TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY own ON audit_events TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY own ON changes FOR INSERT TO {tenant_role} WITH CHECK (tenant = current_tenant());

-- The platform has the list of tenants, the installation's own values, and the
-- narrow look-ups that find a tenant. A session's row is found by its token.
CREATE POLICY platform ON tenants TO {platform_role} USING (true) WITH CHECK (true);
CREATE POLICY platform ON tenant_ancestors TO {platform_role} USING (true) WITH CHECK (true);
CREATE POLICY platform ON tenant_settings TO {platform_role} USING (true) WITH CHECK (true);
CREATE POLICY platform ON installation TO {platform_role} USING (true) WITH CHECK (true);
CREATE POLICY platform ON changes TO {platform_role} USING (true) WITH CHECK (true);
CREATE POLICY platform ON users FOR SELECT TO {platform_role} USING (true);
CREATE POLICY platform ON user_grants FOR SELECT TO {platform_role} USING (true);
CREATE POLICY platform ON sessions TO {platform_role} USING (true) WITH CHECK (true);
CREATE POLICY platform ON audit_events FOR INSERT TO {platform_role} WITH CHECK (true);
-- Of tenants' logs it sees only that they are there, and only while it lists
-- tenants for a copy or a backup.
CREATE POLICY platform_log ON audit_events FOR SELECT TO {platform_role}
    USING (tenant IS NULL OR current_setting('gatelodge.archive', true) = 'on');
