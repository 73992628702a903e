//! Making an account for oneself.

use std::collections::BTreeMap;

use super::{
    Claimed, Progress,
    advance::Write,
    answer::{Attempt, error, resume},
    flow::{self, Phase, SignUpRules},
    start,
};
use crate::{
    Error, ErrorKind, Platform, Result,
    limits::Lanes,
    model::{DisplayName, Email, User, UserId, UserName, UserStatus},
    provider::{Answer, FieldError, Proof, Step},
    secret::Secret,
    storage::Scope,
};

impl Attempt<'_> {
    /// Makes an account from a sign-up form.
    pub(crate) async fn sign_up(mut self, values: BTreeMap<String, Secret>) -> Result<Progress> {
        let Some(tenant) = self.flow_tenant().await? else {
            return Err(flow::gone());
        };
        let (user, rest) = match new_user(self.platform, self.found.flow.sign_up, values) {
            Ok(new) => new,
            Err(errors) => return Ok(self.invalid(errors)),
        };
        self.claimed = Claimed::Nobody {
            tenant: Some(tenant.clone()),
        };
        // Names are asked for one by one only as fast as the network's lane allows.
        let lanes = Lanes::network(self.client.network.as_deref());
        let mut unit = self.platform.write(Scope::Platform).await?;
        lanes
            .reserve(unit.as_mut(), self.platform.limits(), self.platform.now())
            .await?;
        unit.enter(tenant.id).await?;
        let settings = self.platform.effective_settings(unit.as_mut(), tenant.id);
        start::ensure_registration(&settings.await?)?;
        let taken = unit
            .users()
            .by_login(&user.user_name.key())
            .await?
            .is_some();
        unit.commit().await?;
        self.lanes = Some(lanes);
        if taken {
            return Ok(self.invalid(vec![name_taken()]));
        }
        let state = self.open_offer()?.state.clone();
        let call = start::call(
            self.platform,
            &self.found.flow,
            self.configured,
            None,
            self.client,
        )
        .in_tenant(Some(&tenant))
        .of_user(&user);
        let answer = Answer::Fields { values: rest };
        let turn = resume(self.configured, Phase::SignUp, &call, state, answer).await;
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => {
                self.refund().await?;
                return Err(error);
            }
        };
        match turn.step {
            Step::Enrolled {} => {
                let factor = self.factor(&Proof::of_subject(user.id));
                let place = (tenant.id, user.id);
                let write = Write::NewAccount(Box::new(user), factor);
                self.write(place, write, turn.effects).await
            }
            Step::Invalid { errors } => {
                self.refund().await?;
                Ok(self.invalid(errors))
            }
            Step::Refused { reason } => self.refuse(&reason).await,
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "an account cannot be made with a provider that takes several steps",
            )),
        }
    }
}

/// The account's own fields of a sign-up form, and the rest, which is the provider's.
fn new_user(
    platform: &Platform,
    rules: SignUpRules,
    mut values: BTreeMap<String, Secret>,
) -> Result<(User, BTreeMap<String, Secret>), Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut keep = |field: &str, error: Error| {
        let mut message = error.message().to_owned();
        if let Some(first) = message.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        errors.push(self::error(field, "invalid", &format!("{message}.")));
    };
    let mut text = |name: &str| {
        values
            .remove(name)
            .map(|value| value.expose().trim().to_owned())
    };
    let user_name = text("user_name").unwrap_or_default();
    let display_name = text("display_name").filter(|text| !text.is_empty());
    let email = text("email").filter(|text| !text.is_empty());
    let (no_name, no_email) = (display_name.is_none(), email.is_none());
    let display_name = match &display_name {
        Some(name) => DisplayName::new(name).map_err(|error| keep("display_name", error)),
        None => DisplayName::new(&user_name).map_err(|_| ()),
    };
    let user_name = UserName::new(&user_name).map_err(|error| keep("user_name", error));
    let email = email
        .map(|email| Email::new(&email))
        .transpose()
        .map_err(|error| keep("email", error));
    // What was filled with blanks only is missing all the same.
    for (is_missing, field, label) in [
        (
            rules.display_name_required && no_name,
            "display_name",
            "Your name",
        ),
        (rules.email_required && no_email, "email", "E-mail"),
    ] {
        if is_missing {
            errors.push(error(field, "missing", &format!("{label} is missing.")));
        }
    }
    let (Ok(user_name), Ok(display_name), Ok(email), true) =
        (user_name, display_name, email, errors.is_empty())
    else {
        return Err(errors);
    };
    let user = User {
        id: UserId::generate(platform.environment()),
        user_name,
        display_name,
        email,
        email_verified: false,
        status: UserStatus::Active,
        lock: None,
        must_change: None,
        credential_epoch: 1,
        created_at: platform.now(),
        version: 1,
    };
    Ok((user, values))
}

pub(super) fn name_taken() -> FieldError {
    error(
        "user_name",
        "taken",
        "This user name is taken. Choose another.",
    )
}
