//! Locking: the options that tenants and users share.

use std::time::Duration;

use clap::Args;
use gatelodge_core::{environment::later, service::NewLock};
use jiff::Timestamp;

use super::span::{parse_span, parse_time};

/// How long and why.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LockArguments {
    /// Why, for administrators to read; at most 500 characters
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// For how long, such as `45s`, `30m`, `2h`, `7d` or `1d12h` [default: until unlocked]
    #[arg(long = "for", value_name = "SPAN", value_parser = parse_span, conflicts_with = "until")]
    span: Option<Duration>,
    /// Until when, such as `2030-01-31T18:00:00Z` (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
    /// Let open sessions go on instead of ending them
    #[arg(long)]
    pub(super) keep_sessions: bool,
}

impl LockArguments {
    /// The lock that they ask for at `now`.
    pub(super) fn lock_at(&self, now: Timestamp) -> NewLock {
        NewLock {
            reason: self.reason.clone(),
            until: self.span.map(|span| later(now, span)).or(self.until),
            keep_sessions: self.keep_sessions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_from_now() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let until = now + Duration::from_secs(7_200);
        let span = LockArguments {
            span: Some(Duration::from_secs(7_200)),
            ..LockArguments::default()
        };
        assert_eq!(span.lock_at(now).until, Some(until));
        let time = LockArguments {
            until: Some(until),
            ..LockArguments::default()
        };
        assert_eq!(time.lock_at(now).until, Some(until));
        assert_eq!(LockArguments::default().lock_at(now).until, None);
    }
}
