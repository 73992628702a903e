//! The cases, by what they are about.

pub(crate) mod answers;
pub(crate) mod begin;
pub(crate) mod description;
pub(crate) mod engine;
pub(crate) mod enrolment;
pub(crate) mod isolation;
pub(crate) mod kept;
pub(crate) mod proof;
pub(crate) mod secrets;
pub(crate) mod silent;
pub(crate) mod states;
pub(crate) mod steps;
pub(crate) mod third_party;
pub(crate) mod time;
