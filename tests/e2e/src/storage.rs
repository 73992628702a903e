//! Where a place keeps its data: in the embedded database, or on Postgres.

use std::{fs::File, io::Read as _, net::SocketAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatelodge_postgres::{Database, Pooler, Proxy, Server, run_sql};

/// With the value `postgres` every place is on Postgres that does not say where else it is.
pub const VARIABLE: &str = "E2E_STORAGE";

/// How long a server waits for the database. Machines that run tests are busy.
const PATIENCE_MS: u32 = 15_000;

/// Where a place keeps its data.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In SQLite, in its data folder.
    Embedded,
    /// In a database that it may share with others.
    Postgres(Postgres),
}

impl Storage {
    /// What the variable [`VARIABLE`] asks for.
    pub fn of_this_run() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Embedded,
            Ok("postgres") => Self::Postgres(Postgres::new()),
            Ok(other) => panic!("{VARIABLE} is `sqlite` or `postgres`, not `{other}`"),
        }
    }
}

/// A database of Postgres, set up as it is to be: one account owns it and may make roles, the one that serves owns
/// nothing. Clones are the same database; it is removed with the last of them.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// Kept, so that it is there.
    _database: Option<Arc<Database>>,
    address: SocketAddr,
    superuser: String,
    owner_url: String,
    url: String,
    direct_url: Option<String>,
    prepares: bool,
    is_patient: bool,
    /// The key of all who share it.
    master_key: String,
}

impl Default for Postgres {
    fn default() -> Self {
        Self::new()
    }
}

impl Postgres {
    /// An empty one in the server that all tests share.
    pub fn new() -> Self {
        let database = Database::new();
        let (owner, serving) = (password(), password());
        let owner_role = database.login("owner", &owner, "CREATEROLE");
        let serving_role = database.login("serving", &serving, "NOINHERIT");
        let owned = format!(
            "ALTER DATABASE \"{}\" OWNER TO \"{owner_role}\"",
            database.name()
        );
        database.sql(&owned);
        Self {
            address: database.address(),
            superuser: database.url(),
            owner_url: database.url_as(&owner_role, &owner),
            url: database.url_as(&serving_role, &serving),
            direct_url: None,
            prepares: true,
            is_patient: true,
            master_key: new_master_key(),
            _database: Some(Arc::new(database)),
        }
    }

    /// The database of a server of a test's own, which must be kept beside this.
    pub fn in_server(server: &Server) -> Self {
        let (owner, serving) = (password(), password());
        server.sql(&format!(
            "CREATE ROLE house_owner LOGIN CREATEROLE PASSWORD '{owner}';
             CREATE ROLE house_serving LOGIN NOINHERIT PASSWORD '{serving}';
             ALTER DATABASE postgres OWNER TO house_owner"
        ));
        Self {
            address: server.address(),
            superuser: server.url(),
            owner_url: server.url_as("house_owner", &owner),
            url: server.url_as("house_serving", &serving),
            direct_url: None,
            prepares: true,
            is_patient: true,
            master_key: new_master_key(),
            _database: None,
        }
    }

    /// The same for servers that give a busy database no more time than they do out of the box.
    pub fn as_out_of_the_box(&self) -> Self {
        Self {
            is_patient: false,
            ..self.clone()
        }
    }

    /// The same with another account that serves; answers its name beside it.
    pub fn served_by(&self, name: &str) -> (Self, String) {
        let database = self._database.as_ref().expect("a server of a test's own");
        let password = password();
        let role = database.login(name, &password, "NOINHERIT");
        let url = database.url_as(&role, &password);
        (
            Self {
                url,
                ..self.clone()
            },
            role,
        )
    }

    /// The same reached over a network that can fail.
    pub fn over(&self, network: &Proxy) -> Self {
        Self {
            url: network.url(&self.url),
            owner_url: network.url(&self.owner_url),
            ..self.clone()
        }
    }

    /// The same with the account that serves behind a pooler that hands connections out per transaction. With
    /// `is_direct`, changes are followed past it.
    pub fn behind(&self, pooler: &Pooler, is_direct: bool) -> Self {
        let (account, _) = self.url.rsplit_once('@').unwrap();
        let (user, password) = account
            .trim_start_matches("postgres://")
            .split_once(':')
            .unwrap();
        Self {
            url: pooler.url_as(user, password),
            direct_url: is_direct.then(|| self.url.clone()),
            prepares: false,
            ..self.clone()
        }
    }

    /// The same for whoever has another master key.
    pub fn with_master_key(&self, master_key: &str) -> Self {
        Self {
            master_key: master_key.to_owned(),
            ..self.clone()
        }
    }

    /// The address of the account that serves.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the account that owns the database.
    pub fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// The address of the superuser.
    pub fn superuser_url(&self) -> &str {
        &self.superuser
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The master key of all who share it.
    pub fn master_key(&self) -> &str {
        &self.master_key
    }

    /// Runs SQL as the superuser, without holding up who else is at work here; see [`run_sql`].
    pub async fn sql(&self, sql: &str) -> String {
        let (url, sql) = (self.superuser.clone(), sql.to_owned());
        let done = tokio::task::spawn_blocking(move || run_sql(&url, &sql));
        let done = done.await.unwrap();
        done.unwrap_or_else(|said| panic!("the database said {said}"))
    }

    /// What may stand in no log.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let passwords = [&self.superuser, &self.owner_url, &self.url].map(|url| {
            let (account, _) = url.rsplit_once('@').unwrap();
            account.rsplit_once(':').unwrap().1.to_owned()
        });
        passwords
            .into_iter()
            .chain([self.master_key.clone()])
            .collect()
    }

    /// What the binary is told about it in its environment.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("GATELODGE_STORAGE__URL", self.url.clone()),
            ("GATELODGE_STORAGE__OWNER_URL", self.owner_url.clone()),
        ];
        if let Some(url) = &self.direct_url {
            variables.push(("GATELODGE_STORAGE__DIRECT_URL", url.clone()));
        }
        if self.is_patient {
            let patience = PATIENCE_MS.to_string();
            variables.push(("GATELODGE_STORAGE__ACQUIRE_TIMEOUT_MS", patience));
        }
        if !self.prepares {
            let no = "false".to_owned();
            variables.push(("GATELODGE_STORAGE__PREPARED_STATEMENTS", no));
        }
        variables
    }
}

/// A master key, as its file holds it.
pub fn new_master_key() -> String {
    STANDARD.encode(random::<32>())
}

fn password() -> String {
    random::<12>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut source = File::open("/dev/urandom").unwrap();
    source.read_exact(&mut bytes).unwrap();
    bytes
}
