//! What the tests start from: a server on an empty storage, people in it, and
//! ways to ask it something.

mod answer;
mod browser;
mod call;
pub(crate) mod description;
mod mails;
mod people;
mod redact;
mod ticket;
mod watched;
mod world;

pub(crate) use answer::Answer;
pub(crate) use browser::Browser;
pub(crate) use call::Call;
pub(crate) use mails::{DUTY, MAILED, code_of, link_of};
pub(crate) use people::{Person, Town, flow_path, given, town};
pub(crate) use redact::redacted;
pub(crate) use watched::{INSIDE, Watched};
pub(crate) use world::{Plan, World};

/// Makes three tests of each function: on a storage in memory, on SQLite, and on Postgres.
macro_rules! on_each_storage {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn in_memory() {
                Box::pin(super::$name(&crate::support::World::in_memory().await)).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                Box::pin(super::$name(&crate::support::World::on_sqlite().await)).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                Box::pin(super::$name(&crate::support::World::on_postgres().await)).await;
            }
        }
    )+};
}
pub(crate) use on_each_storage;

/// A password that the policy accepts.
pub(crate) const PASSWORD: &str = "quiet harbour lantern 41";
/// Another one.
pub(crate) const OTHER_PASSWORD: &str = "copper meadow violin 77";
