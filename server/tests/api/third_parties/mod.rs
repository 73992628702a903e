//! The wall in front of third parties, from outside: a browser goes to one and comes back
//! over the real router, while the third party (the provider's own [`Liar`], which the
//! server reaches by its way to the outside) keeps to the standards or breaks a rule.
//!
//! [`Liar`]: gatelodge_provider_oidc::Liar

mod callbacks;
mod changes;
mod forms;
mod house;
mod lies;
mod linking;
mod neighbours;
mod outside;
mod returns;
mod shut_out;
mod telling;
mod visitor;
mod ways;

use futures_util::{StreamExt as _, stream};
use house::{House, connection, preset};
use visitor::Visitor;

/// Does some of these at a time: refusals take their time, and no database has room for all.
async fn some_at_a_time<T>(
    count: usize,
    all: impl IntoIterator<Item = impl Future<Output = T>>,
) -> Vec<T> {
    stream::iter(all).buffered(count).collect().await
}
