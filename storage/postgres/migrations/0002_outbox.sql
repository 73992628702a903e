-- Messages to be sent, of all tenants. due_at is when one is to be sent or tried
-- again; of a claimed one, when the claim ends. Address, template and values are
-- in sealed.
CREATE TABLE outbox (
    tenant     uuid        NOT NULL,
    id         uuid        NOT NULL,
    "user"     uuid        NOT NULL,
    channel    text        NOT NULL,
    made_at    timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    tries      bigint      NOT NULL CHECK (tries >= 0),
    version    bigint      NOT NULL,
    sealed     bytea       NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, "user") REFERENCES users (tenant, id) ON DELETE CASCADE,
    CONSTRAINT message_is_at_most_64_kib CHECK (length(sealed) <= 65536)
);

CREATE INDEX outbox_by_due ON outbox (due_at);
CREATE INDEX outbox_by_expiry ON outbox (expires_at);
CREATE INDEX outbox_by_user ON outbox (tenant, "user");

-- A tenant's units write its own messages. The platform's claim, postpone and
-- remove those of all tenants, and make or redirect none.
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO {tenant_role};
GRANT SELECT, UPDATE (due_at, tries, version), DELETE ON outbox TO {platform_role};

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY own ON outbox TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY platform ON outbox TO {platform_role} USING (true) WITH CHECK (true);
