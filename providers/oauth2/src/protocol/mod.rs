//! OAuth 2 as far as a sign-in needs it, and what services without OpenID Connect say
//! of people.

mod diagnosis;
mod document;
mod exchange;
mod liar;
mod preset;
mod rehearsal;
mod transaction;

pub use self::liar::{Liar, Lie};
pub(crate) use self::{
    diagnosis::diagnose,
    document::{is_member, read_person},
    exchange::{Failure, Granted, ask, authorization_url, exchange, read_json, refresh},
    preset::{Fields, IdType, Preset},
    rehearsal::rehearse,
    transaction::Transaction,
};
