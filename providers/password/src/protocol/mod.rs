//! What this crate knows about passwords, free of the provider contract: how
//! one is normalised, hashed on bounded threads, judged and rated.

mod blocklist;
mod context;
mod hash;
mod params;
mod password;
mod policy;
mod strength;
mod workers;

pub use context::{ContextKind, ContextWord};
pub use hash::{Hasher, Load, Salt, Verification};
pub use params::{HashParams, MAX_ITERATIONS, MAX_MEMORY_KIB, MAX_PARALLELISM, MAX_WORK_KIB};
pub use password::{MAX_PASSWORD_BYTES, Password};
pub use policy::{DEFAULT_MINIMUM_LENGTH, LOWEST_MINIMUM_LENGTH, Policy, Refusal};
pub use strength::{Score, Strength};
pub use workers::WorkerSettings;
