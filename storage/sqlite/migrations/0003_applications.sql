-- Registered applications. An id is unique on the whole platform and not only
-- in its tenant, since tokens name an application by it; so is the audience, by
-- which one tenant's tokens are no other tenant's.
CREATE TABLE applications (
    tenant     BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
    name_key   TEXT    NOT NULL,
    audience   TEXT    NOT NULL UNIQUE CHECK (length(audience) BETWEEN 1 AND 200),
    origins    TEXT    NOT NULL CHECK (json_valid(origins)),
    return_to  TEXT    NOT NULL CHECK (json_valid(return_to)),
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (id)
) STRICT;

CREATE UNIQUE INDEX applications_by_name ON applications (tenant, name_key);

-- What `applications.origins` says, to be found by.
CREATE TABLE application_origins (
    tenant      BLOB NOT NULL,
    application BLOB NOT NULL,
    origin      TEXT NOT NULL,
    PRIMARY KEY (tenant, application, origin),
    FOREIGN KEY (tenant, application) REFERENCES applications (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX application_origins_by_origin ON application_origins (origin, tenant);
