use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Context, State};
use crate::Result;

/// What a provider can do that has somebody else say who a person is. It proves
/// [external identities](super::Who::External), which the engine links to users.
#[async_trait]
pub trait ThirdParty: Send + Sync {
    /// Gets what it keeps in memory of the third party, its addresses and keys, anew,
    /// if that is due; the server calls it every minute.
    ///
    /// * What was kept before goes on to count when this fails.
    ///
    /// # Errors
    /// When the third party cannot be reached, or says what it must not.
    async fn refresh(&self, context: &Context<'_>) -> Result<()>;

    /// Asks the third party whether somebody may still come in.
    ///
    /// * `kept` is what the last proof wanted [kept](super::Proof::keep), or what the
    ///   last answer put in its place. That can be lost when a server stops at that very
    ///   moment; the next time the older is given.
    /// * It is called about once an hour for somebody who is signed in or kept signed in,
    ///   if anything was kept; not again after `Barred`, until the next proof.
    ///
    /// # Errors
    /// When the third party gives no clear answer; nobody is barred for that.
    async fn recheck(&self, context: &Context<'_>, kept: &State) -> Result<Rechecked>;

    /// Whether it can be made to have the person prove anew who they are, in a way that
    /// its answer shows. For [`Intent::Reprove`](super::Intent::Reprove) it is, and an
    /// answer that does not show it is refused. One that cannot is asked to confirm a
    /// change of an account only where its owner has no other way: all that it says may
    /// be that a browser is still signed in there.
    fn proves_anew(&self) -> bool;

    /// Where the browser goes to sign out at the third party as well, if that can be
    /// done: it comes back to `back`.
    async fn sign_out(&self, context: &Context<'_>, back: &Url) -> Option<Url>;

    /// Looks at everything that can be wrong with the connection: the third party's
    /// answers, the configuration, and whether what must be refused is refused.
    async fn diagnose(&self, context: &Context<'_>) -> Vec<Finding>;
}

/// What a third party says of somebody who came in before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rechecked {
    /// They may.
    Welcome {
        /// What takes the place of what was kept.
        keep: State,
    },
    /// They may not any more.
    Barred {
        /// A stable short word for the audit log: `[a-z0-9_]{1,64}`.
        reason: String,
    },
    /// There is no way to ask.
    Unknown {},
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// A stable short word for what was looked at: `[a-z0-9_]{1,64}`.
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found: a sentence.
    pub text: String,
    /// What to do about it: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn good(check: &str, text: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            verdict: Verdict::Good,
            text: text.into(),
            remedy: None,
        }
    }

    /// It works, and could be better.
    pub fn doubtful(check: &str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Doubtful,
            remedy: Some(remedy.into()),
            ..Self::good(check, text)
        }
    }

    /// It does not work, or must not be like this.
    pub fn bad(check: &str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Bad,
            ..Self::doubtful(check, text, remedy)
        }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Doubtful,
    /// It does not work, or must not be like this.
    Bad,
}
