-- The platform finds whose a record is by its key, and nothing else of it: who
-- comes by a third party says only there who they are, and perhaps in no tenant yet.
CREATE INDEX records_by_owner ON records (provider, key, tenant)
    WHERE key IS NOT NULL AND "user" IS NOT NULL;

GRANT SELECT (tenant, provider, "user", key) ON records TO {platform_role};

CREATE POLICY platform ON records FOR SELECT TO {platform_role}
    USING (key IS NOT NULL AND "user" IS NOT NULL);
