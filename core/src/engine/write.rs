//! What is to be written for a proof, a set-up or a link, and what became of it.

use super::{
    Completed, Progress,
    flow::{Flow, FlowProof, Phase},
    identity::Comer,
    paths::local_path,
};
use crate::{
    Result,
    model::{Factor, ProviderId, User},
    provider::{Credential, Purpose, Renewal},
    secret::Token,
};

/// What is to be written for a proof or a set-up.
pub(super) enum Write {
    /// Somebody proved who they are.
    Proof(Box<Proven>),
    /// A credential was set up.
    SetUp,
    /// An account was made, and a credential set up or an identity linked with it.
    NewAccount(Box<NewAccount>),
    /// Somebody showed who they are at a third party, to have that linked.
    Linked(Box<Comer>),
    /// What has to be set up or changed was put off.
    PutOff,
    /// A credential was removed.
    Removed(Box<Credential>),
}

/// A proof of one user.
pub(super) struct Proven {
    pub(super) factor: Factor,
    /// The credential epoch that it was given under.
    pub(super) epoch: i64,
    pub(super) scope: Option<String>,
    pub(super) purpose: Purpose,
    pub(super) renew: Option<Renewal>,
    pub(super) mailbox: Option<String>,
    pub(super) return_to: Option<String>,
    /// What the third party said, if it was one.
    pub(super) comer: Option<Comer>,
}

/// An account that somebody makes for themselves.
pub(super) struct NewAccount {
    pub(super) user: User,
    pub(super) factor: Factor,
    /// Who they are at the third party that they came by.
    pub(super) comer: Option<Comer>,
}

impl Proven {
    pub(super) fn under(self, epoch: i64) -> Write {
        Write::Proof(Box::new(Self { epoch, ..self }))
    }
}

impl Write {
    /// The credential epoch that it relies on.
    pub(super) fn epoch(&self) -> Option<i64> {
        match self {
            Self::Proof(proven) => Some(proven.epoch),
            Self::SetUp
            | Self::NewAccount(_)
            | Self::Linked(_)
            | Self::PutOff
            | Self::Removed(_) => None,
        }
    }
}

impl Flow {
    /// Notes a proof.
    pub(super) fn take_proof(
        &mut self,
        by: &ProviderId,
        proven: Proven,
        first: bool,
    ) -> Result<()> {
        let Proven { factor, scope, .. } = proven;
        self.scope = self.scope.take().or(scope);
        self.owe(by, proven.purpose, proven.renew);
        self.mailbox |= proven.purpose == Purpose::Mailbox;
        if let Some(path) = &proven.return_to {
            self.return_to = Some(local_path(path)?);
        }
        // Whoever shows a mailbox has proven who they are before.
        if self.phase != Phase::Verify {
            self.proofs.push(FlowProof { factor, first });
        }
        Ok(())
    }

    /// Notes that an account was made; answers by what.
    pub(super) fn take_account(&mut self, new: NewAccount, first: bool) -> String {
        let factor = new.factor;
        self.comer = None;
        self.newcomer = None;
        self.proofs.push(FlowProof { factor, first });
        match &new.comer {
            None => "registration".to_owned(),
            Some(comer) => comer.identity.connection.to_string(),
        }
    }
}

/// What became of writing it.
pub(super) enum Tried<A> {
    Done(Box<Progress>),
    /// What it relied on has changed meanwhile; nothing was stored.
    Lost(Box<A>),
    /// It is refused, for this reason; nothing was stored.
    Refused(Box<A>, &'static str),
}

impl<A> Tried<A> {
    pub(super) fn done(progress: Progress) -> Self {
        Self::Done(Box::new(progress))
    }
}

pub(super) enum Written {
    Next(Option<Token>),
    Complete(Box<Completed>),
    Ended(Purpose),
    Refuse(&'static str),
    /// What the provider's effects refer to has changed since it looked.
    Lost,
    NameTaken,
}
