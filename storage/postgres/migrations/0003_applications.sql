-- Registered applications. An id is unique on the whole platform and not only
-- in its tenant, since tokens name an application by it; so is the audience, by
-- which one tenant's tokens are no other tenant's.
CREATE TABLE applications (
    tenant     uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
    name_key   text        NOT NULL COLLATE "C",
    audience   text        NOT NULL COLLATE "C" CHECK (length(audience) BETWEEN 1 AND 200),
    origins    json        NOT NULL,
    return_to  json        NOT NULL,
    created_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT applications_id_key UNIQUE (id),
    CONSTRAINT applications_audience_key UNIQUE (audience)
);

CREATE UNIQUE INDEX applications_by_name ON applications (tenant, name_key);

-- What applications.origins says, to be found by.
CREATE TABLE application_origins (
    tenant      uuid NOT NULL,
    application uuid NOT NULL,
    origin      text NOT NULL COLLATE "C",
    PRIMARY KEY (tenant, application, origin),
    FOREIGN KEY (tenant, application) REFERENCES applications (tenant, id) ON DELETE CASCADE
);

CREATE INDEX application_origins_by_origin ON application_origins (origin, tenant);

-- A tenant's units write its own. The platform finds one by its id or audience,
-- and whether an origin is registered at all.
GRANT SELECT, INSERT, UPDATE, DELETE ON applications, application_origins TO {tenant_role};
GRANT SELECT ON applications, application_origins TO {platform_role};

ALTER TABLE applications ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE application_origins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY own ON applications TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY own ON application_origins TO {tenant_role}
    USING (tenant = current_tenant()) WITH CHECK (tenant = current_tenant());
CREATE POLICY platform ON applications FOR SELECT TO {platform_role} USING (true);
CREATE POLICY platform ON application_origins FOR SELECT TO {platform_role} USING (true);
