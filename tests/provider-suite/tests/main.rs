//! The suite, tried on providers that behave and on flawed ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

mod flaws;
mod providers;

/// What one knows; it is set up by the person, and a second factor as well.
mod pin {
    gatelodge_provider_suite::provider_suite!(crate::providers::pin::Fixture::default());
}

/// A third party, asked by redirect; nothing is kept.
mod third_party {
    gatelodge_provider_suite::provider_suite!(crate::providers::third_party::Fixture::default());
}

/// A link that is sent, and used up.
mod mailed_link {
    gatelodge_provider_suite::provider_suite!(crate::providers::mailed_link::Fixture::default());
}

/// A code that somebody issued, in the hands of the person.
mod issued_code {
    gatelodge_provider_suite::provider_suite!(crate::providers::issued_code::Fixture::default());
}

/// A random token that a browser keeps.
mod keepsake {
    gatelodge_provider_suite::silent_suite!(crate::providers::keepsake::register);
}
