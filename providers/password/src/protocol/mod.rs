//! What this crate knows about passwords, free of the provider contract but for
//! the words of its rules: how one is normalised, hashed on bounded threads,
//! judged, rated and kept.

mod blocklist;
mod characters;
mod context;
mod hash;
mod params;
mod password;
mod policy;
mod rules;
mod stored;
mod strength;
mod workers;

pub use characters::CharacterType;
pub use context::{ContextKind, ContextWord};
pub use hash::{Hasher, Load, Salt, Verification};
pub use params::{HashParams, MAX_ITERATIONS, MAX_MEMORY_KIB, MAX_PARALLELISM, MAX_WORK_KIB};
pub use password::{MAX_PASSWORD_BYTES, Password};
pub use policy::{
    DEFAULT_MINIMUM_LENGTH, LOWEST_MINIMUM_LENGTH, MAX_HISTORY, MaximumAge, Policy, Profile,
    Refusal,
};
pub use strength::{Score, Strength};
pub use workers::WorkerSettings;

pub(crate) use rules::{common, conflict, rules};
pub(crate) use stored::Stored;
