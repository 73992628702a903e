macro_rules! flaws {
    ($($(#[$doc:meta])* $flaw:ident,)+) => {
        /// A defect that the suite must find.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flaw {
            $($(#[$doc])* $flaw,)+
        }

        impl Flaw {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$flaw),+];
        }
    };
}

flaws! {
    /// A tenant unit finds rows of other tenants by their ids.
    LeaksTenants,
    /// A tenant unit lists and changes rows of other tenants.
    MixesTenants,
    /// What is taken in one tenant is taken in all.
    SharesNames,
    /// What is unique on the platform is so in its tenant only.
    SharesAudiences,
    /// Audiences and origins are compared without their case.
    FoldsAudiences,
    /// The platform finds no application.
    HidesApplications,
    /// Platform methods work in tenant units.
    IgnoresScope,
    /// `enter` works in a tenant unit.
    EntersFromTenants,
    /// A read unit writes.
    WritesInReadUnits,
    /// A stale version is no obstacle.
    IgnoresVersions,
    /// The stored version does not rise.
    KeepsVersions,
    /// What a dropped or rolled back unit wrote stays.
    ForgetsRollback,
    /// A failed unit can be committed.
    CommitsFailedUnits,
    /// Others see what a unit wrote before it is committed.
    ShowsUncommitted,
    /// A unit does not see what it wrote.
    HidesOwnWrites,
    /// A read unit sees what is committed meanwhile.
    ReadsTheLatest,
    /// Write units overwrite each other's changes.
    WritesSideBySide,
    /// Names are compared as written.
    ComparesExactly,
    /// Letters are compared without their accents.
    DropsAccents,
    /// An unverified address counts as taken and signs in.
    TrustsUnverified,
    /// `%` and `_` in a search match anything.
    ReadsPatterns,
    /// A page starts with the last row of the one before.
    RepeatsRows,
    /// `limit` is not obeyed.
    IgnoresLimits,
    /// A list is not sorted.
    ListsBackwards,
    /// Filters of lists are not obeyed.
    IgnoresFilters,
    /// A broken reference is accepted.
    IgnoresReferences,
    /// What expires later is removed too.
    ExpiresEarly,
    /// What has expired is not found.
    HidesExpired,
    /// What has expired is never removed.
    NeverExpires,
    /// A message that was claimed can be claimed again at once.
    ClaimsTwice,
    /// A message is claimed before it is due and after it has expired.
    ClaimsAtAnyTime,
    /// A message that a clock far ahead has made is kept.
    TrustsAnyClock,
    /// Messages that became due last are claimed first, and answered unsorted.
    ClaimsInAnyOrder,
    /// A later end of a session replaces the first.
    EndsAgain,
    /// A timed out session ends when it is found.
    EndsAtCleanUp,
    /// Activity moves backwards.
    TouchesBackwards,
    /// A deleted user or tenant leaves its rows behind.
    LeavesRows,
    /// A deleted user or tenant takes sessions and audit events along.
    RemovesHistory,
    /// Settings of masters cannot be read, and masters are not listed.
    ForgetsMasters,
    /// A tenant with sub-tenants can be deleted.
    OrphansTenants,
    /// Fields that an update must not change change.
    ChangesFixedFields,
    /// Times are kept in whole seconds.
    KeepsSeconds,
    /// Texts and bytes end at their first NUL or at 16 KiB.
    TruncatesBytes,
    /// Committed changes are not announced.
    ForgetsAnnouncements,
    /// Changes are announced before they are committed.
    AnnouncesAtOnce,
    /// `close` does nothing.
    StaysOpen,
    /// A unique key may be taken twice.
    AcceptsDuplicates,
    /// A unit says that it reaches the platform.
    ForgetsItsScope,
    /// A read unit cannot be committed.
    RefusesToEndReads,
    /// What was committed is seen after the next commit only.
    CommitsLate,
    /// Two tenants cannot share a display name.
    TakesDisplayNames,
    /// Taking an anchor is a change.
    ChangesAnchors,
    /// Deleting a tenant or user does nothing.
    DeletesNothing,
    /// A look-up of a text with a NUL fails.
    ChokesOnNul,
    /// An address goes before a name.
    PrefersAddresses,
    /// A grant always changes something.
    AlwaysChanges,
    /// Only the first hundred letters of a key count.
    TruncatesKeys,
    /// A check fails.
    FailsChecks,
    /// `close` does not let units finish.
    ClosesAtOnce,
    /// A feed is broken from its beginning.
    BreaksFeeds,
    /// The change feed is offered, but not declared.
    DeniesItsFeed,
    /// A cancelled wait for a write unit blocks the storage.
    BlocksWhenCancelled,
    /// A missing row is created or ignored instead of refused.
    IgnoresMissing,
    /// Each scope of a snapshot sees what is committed meanwhile.
    SnapshotsTheLatest,
    /// A row that is put gets a version of its own, and a session lives again.
    PutsNewVersions,
    /// A row that is there is not replaced.
    PutsOnlyNew,
    /// A tenant that is put keeps the master it had.
    KeepsMasters,
    /// Removing what is not there is refused.
    MissesTheRemoved,
    /// Tenants that are deleted are not listed.
    ForgetsTheDeleted,
    /// Names are sorted and paged by their letters.
    SortsNamesByLetter,
    /// A page ends with all grants of a user or loses the rest.
    SplitsGrants,
    /// Audit events are replaced and removed.
    RewritesEvents,
    /// A record is found by its first key for ever.
    KeepsKeys,
}
