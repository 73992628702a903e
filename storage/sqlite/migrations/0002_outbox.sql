-- Messages to be sent, of all tenants. `due_at` is when one is to be sent or
-- tried again; of a claimed one, when the claim ends. Address, template and
-- values are in `sealed`.
CREATE TABLE outbox (
    tenant     BLOB    NOT NULL,
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    user       BLOB    NOT NULL,
    channel    TEXT    NOT NULL,
    made_at    INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    tries      INTEGER NOT NULL CHECK (tries >= 0),
    version    INTEGER NOT NULL,
    sealed     BLOB    NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, user) REFERENCES users (tenant, id) ON DELETE CASCADE,
    CONSTRAINT message_is_at_most_64_kib CHECK (length(sealed) <= 65536)
) STRICT;

CREATE INDEX outbox_by_due ON outbox (due_at);
CREATE INDEX outbox_by_expiry ON outbox (expires_at);
CREATE INDEX outbox_by_user ON outbox (tenant, user);
