//! What the commands on tenants and users share: the opened platform, finding
//! what a person names, going through lists.

use std::fmt;

use gatelodge_core::{
    ErrorKind, Platform,
    access::Caller,
    model::{Tenant, UserId},
    secret::Secret,
    service::{Listed, TenantRef, UserDetails},
    storage::Page,
};
use jiff::Timestamp;

use super::{
    arguments::GlobalOptions,
    confirm::{self, Deletion},
    failure::{Failure, code},
    output::{Output, Shape},
    password::read_password,
    progress::Progress,
    surroundings::Surroundings,
    text::{counted, quoted},
};
use crate::{
    app::{Opening, open_platform},
    config::{self, Config},
};

/// How many are read at a time.
const PIECE: u32 = 200;
/// How many are counted before it is enough to say "more than".
const COUNT_TO: u64 = 10_000;

/// An opened platform and somebody who works on it.
pub(super) struct Administration<'a> {
    pub(super) platform: Platform,
    pub(super) caller: Caller,
    pub(super) output: Output<'a>,
    pub(super) config: &'a Config,
    pub(super) progress: &'a Progress<'a>,
    surroundings: &'a Surroundings,
}

/// Opens the platform, does `work` on it, closes it.
pub(super) async fn administer(
    options: &GlobalOptions,
    surroundings: &Surroundings,
    work: impl AsyncFnOnce(&Administration<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let environment = surroundings.environment.iter().cloned();
    let loaded = config::load(&options.overrides(), environment)?;
    let progress = Progress::new(surroundings);
    progress.begin("opening the database");
    let all = async {
        let administration = Administration {
            platform: open_platform(&loaded, Opening::Command).await?,
            caller: Caller::operator(),
            output: Output::new(surroundings, options.json),
            config: &loaded.config,
            progress: &progress,
            surroundings,
        };
        progress.begin("working");
        let done = work(&administration).await;
        administration.platform.storage().close().await;
        done
    };
    progress.watch(all).await
}

impl Administration<'_> {
    /// The present time.
    pub(super) fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// The tenant with this id or name.
    pub(super) async fn tenant(&self, named: &str) -> Result<Tenant, Failure> {
        let tenants = self.platform.tenants();
        let found = tenants
            .resolve(&self.caller, &TenantRef::parse(named))
            .await;
        found.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::new(
                code(error.kind()),
                format!(
                    "there is no tenant {}; `gatelodge tenant list` shows those there are",
                    quoted(named)
                ),
            ),
            _ => error.into(),
        })
    }

    /// The user with this id, user name or verified e-mail address.
    pub(super) async fn user(&self, tenant: &Tenant, named: &str) -> Result<UserDetails, Failure> {
        let users = self.platform.users();
        if let Ok(id) = named.parse::<UserId>() {
            match users.read(&self.caller, tenant.id, id).await {
                // A user name may look like an id.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                read => return Ok(read?),
            }
        }
        let found = users.by_login(&self.caller, tenant.id, named).await;
        found.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::new(
                code(error.kind()),
                format!(
                    "there is no user {} in tenant {}; `gatelodge user list --tenant {}` shows those there are",
                    quoted(named),
                    quoted(&tenant.name),
                    tenant.id
                ),
            ),
            _ => error.into(),
        })
    }

    /// Prints a list of any length, piece by piece.
    pub(super) async fn print_list<T, Id: Copy>(
        &self,
        what: &str,
        shape: Shape<'_, T>,
        read: impl AsyncFnMut(Page<Id>) -> gatelodge_core::Result<Listed<T, Id>>,
    ) -> Result<(), Failure> {
        if self.surroundings.terminals.output {
            self.progress.be_silent();
        }
        let mut list = self.output.list(shape);
        go_through(read, |items| {
            list.piece(items)?;
            self.progress.is_at(format!("{} {what}", list.count()));
            Ok(true)
        })
        .await?;
        list.finish()
    }

    /// How many there are, as exactly as somebody needs who decides about them.
    pub(super) async fn count<T, Id: Copy>(
        &self,
        one: &'static str,
        read: impl AsyncFnMut(Page<Id>) -> gatelodge_core::Result<Listed<T, Id>>,
    ) -> Result<Count, Failure> {
        let mut number = 0;
        go_through(read, |items| {
            number += items.len() as u64;
            self.progress
                .is_at(format!("counted {}", counted(number, one)));
            Ok(number <= COUNT_TO)
        })
        .await?;
        Ok(Count { number, one })
    }

    /// The password on standard input.
    pub(super) fn password(&self) -> Result<Secret, Failure> {
        self.progress.clear();
        let password = read_password(self.surroundings)?;
        // The time it took to type is no time that the work takes.
        self.progress.begin("working");
        Ok(password)
    }

    /// Goes on only if the deletion is meant.
    pub(super) fn confirm(&self, is_meant: bool, deletion: &Deletion<'_>) -> Result<(), Failure> {
        self.progress.clear();
        confirm::confirm(self.surroundings, is_meant, deletion)?;
        self.progress.begin("deleting");
        Ok(())
    }
}

/// Reads a list piece by piece until its end, or until `piece` has enough.
async fn go_through<T, Id: Copy>(
    mut read: impl AsyncFnMut(Page<Id>) -> gatelodge_core::Result<Listed<T, Id>>,
    mut piece: impl FnMut(&[T]) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut page = Page::first(PIECE);
    loop {
        let listed = read(page).await?;
        let wants_more = piece(&listed.items)?;
        match listed.next {
            Some(after) if wants_more => page = Page::after(after, PIECE),
            _ => return Ok(()),
        }
    }
}

/// A number of things, exact up to a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) number: u64,
    one: &'static str,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.number > COUNT_TO {
            write!(f, "more than {}", counted(COUNT_TO, self.one))
        } else {
            f.write_str(&counted(self.number, self.one))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.build().unwrap().block_on(future)
    }

    /// The numbers from 0 on, as a paged list.
    fn numbers(page: Page<u32>, count: u32) -> gatelodge_core::Result<Listed<u32, u32>> {
        let start = page.after.map_or(0, |after| after + 1);
        let end = (start + page.limit).min(count);
        Ok(Listed {
            items: (start..end).collect(),
            next: (end < count).then(|| end - 1),
        })
    }

    #[test]
    fn a_list_of_any_length_is_read_once_and_whole() {
        for count in [0, 1, 199, 200, 201, 1_000] {
            let mut seen = Vec::new();
            let read = async |page| numbers(page, count);
            run(go_through(read, |items| {
                seen.extend_from_slice(items);
                Ok(true)
            }))
            .unwrap();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_reading() {
        let mut pieces = 0;
        let done = run(go_through(
            async |page| numbers(page, 1_000),
            |_| {
                pieces += 1;
                Err(Failure::ReaderGone)
            },
        ));
        assert!(matches!(done, Err(Failure::ReaderGone)));
        assert_eq!(pieces, 1);
    }

    #[test]
    fn a_count_is_exact_up_to_a_point() {
        let shown = |number| {
            Count {
                number,
                one: "user",
            }
            .to_string()
        };
        assert_eq!(shown(1), "1 user");
        assert_eq!(shown(10_000), "10000 users");
        assert_eq!(shown(10_001), "more than 10000 users");
    }
}
