//! A database of a test's own in the shared server.

use std::net::SocketAddr;

use crate::{
    cluster::{MAINTENANCE, SUPERUSER},
    ports, run_sql,
    shared::{self, Shared},
    sql::{identifier, literal},
    url::Url,
};

/// How often dropping is tried: a client that comes back at the wrong moment makes it fail.
const TRIES: u32 = 3;

/// An empty database, sorted as in English, in UTF-8.
///
/// When this is dropped, so is the database, whoever is connected, and with it the roles that [`Self::login`] made and
/// those whose names start with `gatelodge_<name of the database>_`.
#[derive(Debug)]
pub struct Database {
    server: &'static Shared,
    name: String,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// A new one. The first of all makes the server start, which takes some seconds.
    pub fn new() -> Self {
        let server = shared::server();
        let name = format!("test_{}", ports::unique());
        // Nobody can be connected to `template0`, so it can always be copied.
        let create = format!("CREATE DATABASE {} TEMPLATE template0", identifier(&name));
        if let Err(said) = run_sql(&maintenance(server), &create) {
            panic!("the database cannot be made: {said}");
        }
        Self { server, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        ports::local(self.server.port)
    }

    /// The URL for the superuser.
    pub fn url(&self) -> String {
        self.url_as(SUPERUSER, &self.server.password)
    }

    /// The URL for somebody else.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        Url::local(self.server.port, user, password, &self.name).to_string()
    }

    /// Runs SQL as the superuser, see [`run_sql`]. Panics if that fails.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql)
            .unwrap_or_else(|said| panic!("`{sql}` failed: {said}"))
    }

    /// The same for SQL that may fail.
    ///
    /// # Errors
    /// See [`run_sql`].
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        run_sql(&self.url(), sql)
    }

    /// Makes a role that can log in, with further `options` such as `BYPASSRLS`, and answers its name: `name`, made
    /// unique, since roles belong to the whole server.
    pub fn login(&self, name: &str, password: &str, options: &str) -> String {
        let role = format!("{name}_{}", self.name);
        self.sql(&format!(
            "CREATE ROLE {} LOGIN PASSWORD {} {options}",
            identifier(&role),
            literal(password)
        ));
        role
    }

    /// The roles go in one statement, so that it does not matter which of them depend on which.
    fn removal(&self) -> String {
        let database = identifier(&self.name);
        let (prefix, suffix) = (
            format!("gatelodge_{}_", self.name),
            format!("_{}", self.name),
        );
        let (prefix, suffix) = (literal(&prefix), literal(&suffix));
        format!(
            "DROP DATABASE IF EXISTS {database} WITH (FORCE);
            SELECT 'DROP ROLE ' || string_agg(quote_ident(rolname), ', ') FROM pg_roles
            WHERE starts_with(rolname, {prefix}) OR right(rolname, length({suffix})) = {suffix}
            HAVING count(*) > 0 \\gexec"
        )
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut said = String::new();
        for _ in 0..TRIES {
            match run_sql(&maintenance(self.server), &self.removal()) {
                Ok(_) => return,
                Err(error) => said = error,
            }
        }
        // The test may be over for another reason already. The server goes away with it in any case.
        eprintln!("the database `{}` is left behind: {said}", self.name);
    }
}

/// The URL for what cannot be done in the database itself.
fn maintenance(server: &Shared) -> String {
    Url::local(server.port, SUPERUSER, &server.password, MAINTENANCE).to_string()
}
