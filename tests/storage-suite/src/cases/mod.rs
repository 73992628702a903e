//! The cases, one module per aggregate or rule. Their list is in `list.rs`.
#![deny(dead_code)]

mod applications;
mod archive;
mod archive_writes;
mod audit;
mod changes;
mod closing;
mod deletion;
mod flows;
mod grants;
mod holds;
mod installation;
mod isolation;
mod limits;
mod names;
mod outbox;
mod owners;
mod races;
mod record_keys;
mod records;
mod session_ends;
mod sessions;
mod tenants;
mod units;
mod users;

use crate::hidden::Case;

crate::for_each_case! { __storage_suite_table () }
