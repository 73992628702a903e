//! Who visits a page of an application: what its handlers take as arguments.
//!
//! | extractor | a stranger | somebody without the permission | otherwise |
//! |---|---|---|---|
//! | [`SignedIn`] | refused | | the person |
//! | [`Option<SignedIn>`] | `None` | | the person |
//! | [`Require<P>`](Require) | refused | refused | the person |
//! | [`OwnForm<T>`](OwnForm) | refused | | the fields of a form that was on the person's own page |
//!
//! Refused means: a browser, which accepts `text/html`, is sent to the sign-in page, from which it comes back, or is
//! shown a page that says why (403); any other client gets problem details (RFC 9457) with 401 or 403.
//!
//! Each of them takes the browser's cookie or `Authorization: Bearer`, and looks the session up anew, from memory: one that
//! was ended, or whose user or tenant was locked, is refused from the next request on. A session that a purpose-bound
//! link made is not enough. Each refuses a change that comes from a page of another origin, as
//! [`Gatelodge::guard`](crate::Gatelodge::guard) does.

mod form;
mod refusal;
mod require;
mod signed_in;

pub use self::{
    form::OwnForm,
    refusal::Refusal,
    require::{Permission, Require},
    signed_in::SignedIn,
};
