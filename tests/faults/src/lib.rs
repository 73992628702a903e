//! What becomes of the real binary when things fail around it. Each scenario makes one kind of fault, again and again,
//! while clients work over HTTP, and compares afterwards what they were told with what is there.
//!
//! | module | scenario |
//! |---|---|
//! | [`crash`] | `kill -9` of the server, on SQLite (R1) and on Postgres (R2) |
//! | [`outages`] | Postgres is killed or stopped (R3), or the network to it fails |
//! | [`power`] | the power goes, and the disk forgets what was not synced (R4) |
//! | [`scarce`] | no room, nothing but reading, no file descriptors (R13) |
//! | [`races`] | one set-up link for many (R5), many guesses at once (R6), ended sessions on another node (R7) |
//! | [`codes`], [`links`] | one code, one link for many (R5) |
//! | [`flows`] | one sign-in, one choice of a password, one session to end, for many (R5) |
//! | [`devices`] | one token of a device that stays signed in for many, and for a thief (R5) |
//! | [`mails`] | the mail server is gone or misbehaves (R13) |
//! | [`clock`] | the clock jumps (R13) |
//! | [`backups`] | backups while everybody works (R18) |
//!
//! The numbers are those of the list of claims that `docs/reliability.md` reports on. The judge is outside of the
//! server: a [`journal`] of acknowledged answers, each synced before the client goes on, and an [`oracle`] that reads
//! the database itself and asks the server. Requests that got no answer may have happened or not; what was acknowledged
//! has, and whatever has, has in full: a user with its audit event and its record, a session with its event.
//!
//! ```sh
//! cargo run -p gatelodge-faults                        # every scenario, a few times: some minutes
//! cargo run --release -p gatelodge-faults -- --full    # as often as is published; takes hours
//! cargo run -p gatelodge-faults -- --only kill-sqlite --times 20 --seed 7
//! ```
//!
//! It drives the binary that lies beside it, or the one that the variable `E2E_BINARY` names: build `gatelodge-server`
//! in the same way before.
//!
//! Zero failures of N are no proof that there are none: the true share may be up to about 3/N, at 95 %. That number
//! stands beside each result.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a library for tests: what is not as expected fails the test"
)]

pub mod backups;
pub mod clock;
pub mod codes;
pub mod crash;
pub mod devices;
pub mod disk;
pub mod flows;
pub mod journal;
pub mod links;
pub mod mails;
pub mod oracle;
pub mod outages;
mod pair;
pub mod power;
pub mod races;
pub mod random;
pub mod report;
pub mod scarce;
pub mod scenarios;
pub mod site;
mod tmpfs;
pub mod work;
