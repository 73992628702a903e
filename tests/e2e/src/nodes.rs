//! Two servers on one database.

use crate::{
    api::Api,
    place::Place,
    server::Server,
    storage::{Postgres, Storage},
    world::World,
};

/// Nobody is slowed down for being many.
pub const UNLIMITED: &str = "[limits]\nfree_tries = 99\nflows_per_network_per_minute = 1000000\n\
                             network_free_tries = 1000000\n";

/// Two servers on one database of Postgres, with one master key.
#[derive(Debug)]
pub struct Nodes {
    /// The other one. Here nobody is signed in yet.
    pub other: Server,
    /// The folder that the other one works in.
    pub others_place: Place,
    /// The one, that was set up.
    pub world: World,
}

impl Nodes {
    /// Two on an empty database, with this configuration beside [`UNLIMITED`].
    pub async fn new(text: &str) -> Self {
        let postgres = Postgres::new();
        Self::on(postgres.clone(), postgres, text).await
    }

    /// Two that reach the same database in two ways.
    pub async fn on(one: Postgres, other: Postgres, text: &str) -> Self {
        let place = Place::on(Storage::Postgres(one)).configured(&format!("{UNLIMITED}{text}"));
        let world = World::of(place).await;
        let others_place = world.place.beside(Storage::Postgres(other));
        Self {
            other: others_place.serve().await,
            others_place,
            world,
        }
    }

    /// The database.
    pub fn postgres(&self) -> &Postgres {
        self.world.place.postgres().unwrap()
    }

    /// A program at the other node that is nobody.
    pub fn nobody_there(&self) -> Api {
        Api::new(&self.other)
    }

    /// How many sessions of a user are open, as the database has it.
    pub async fn open_sessions(&self, user: &str) -> usize {
        let count = format!(
            "SELECT count(*) FROM gatelodge.sessions WHERE user_name = '{user}' AND ended_at IS NULL"
        );
        self.postgres().sql(&count).await.parse().unwrap()
    }
}
