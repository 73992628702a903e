//! OpenID Connect, as far as one who signs people in at somebody else's speaks it.

mod cache;
mod callback;
mod claims;
mod doctor;
mod exchange;
mod issuer;
mod json;
mod jws;
mod kept;
mod keys;
mod liar;
mod metadata;
mod outside;
mod preset;
mod rules;
mod secret;
mod token;
mod transaction;

pub(crate) use cache::{Cache, Known};
pub(crate) use callback::{error_word, names};
pub(crate) use claims::{claims, join};
pub(crate) use doctor::diagnose;
pub(crate) use exchange::{
    Exchanged, Tokens, authorization_url, exchange_code, exchange_refresh, sign_out_url,
};
pub(crate) use issuer::{Issuer, MICROSOFT, PERSONAL, is_guid, of_tenant};
pub(crate) use kept::Kept;
pub(crate) use keys::{algorithm, algorithm_names};
pub use liar::{Liar, Lie};
pub(crate) use metadata::Metadata;
pub(crate) use outside::{Outside, is_loopback, may_go};
pub(crate) use preset::{ClientAuthKind, IssuerRule, Preset, ResponseMode, SubjectRule};
pub(crate) use rules::rules;
pub(crate) use secret::{AppleKey, ClientAuth};
pub(crate) use token::{Profile, Refusal, Verified, half_hash};
pub(crate) use transaction::{Chance, Transaction, is_anew};
