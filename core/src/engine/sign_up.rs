//! Making an account for oneself.

use std::collections::BTreeMap;

use super::{
    Claimed, Progress,
    answer::{Attempt, resume},
    check::error,
    flow::{self, Phase, SignUpRules},
    start,
    write::{NewAccount, Write},
};
use crate::{
    Error, ErrorKind, Platform, Result,
    model::{DisplayName, Email, User, UserId, UserName, UserStatus},
    provider::{Answer, Field, FieldError, FieldKind, Proof, Role, Step},
    secret::Secret,
    service::{Offers, not_offered},
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
        let settings = self.platform.tenants().public_settings(tenant.id).await?;
        start::ensure_registration(&settings)?;
        let offers = Offers::of(self.platform, &tenant, settings);
        if !offers.include(self.configured) {
            return Err(not_offered());
        }
        if self.name_is_taken(&tenant, &user.user_name).await? {
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
                let new = NewAccount {
                    user,
                    factor,
                    comer: None,
                };
                let write = Write::NewAccount(Box::new(new));
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
pub(super) fn new_user(
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

/// What an account needs that somebody makes for themselves.
pub(super) fn sign_up_fields(rules: SignUpRules) -> Vec<Field> {
    let mut user_name = Field::new(
        "user_name",
        FieldKind::Text,
        Role::Identifier,
        "User name",
        "username",
    );
    user_name.max_length = u32::try_from(UserName::MAX).ok();
    let mut fields = vec![user_name];
    let mut display_name = Field::new(
        "display_name",
        FieldKind::Text,
        Role::Other,
        "Your name",
        "name",
    );
    display_name.max_length = u32::try_from(DisplayName::MAX).ok();
    display_name.required = rules.display_name_required;
    fields.push(display_name);
    let mut email = Field::new("email", FieldKind::Email, Role::Other, "E-mail", "email");
    email.max_length = u32::try_from(Email::MAX).ok();
    email.required = rules.email_required;
    fields.push(email);
    fields
}
