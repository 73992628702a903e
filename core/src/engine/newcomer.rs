//! Somebody came by a third party whom nobody here is linked to: they have an account
//! made, or sign in to one that they have to link it, or are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Claimed, Progress, Reply, ReplyAnswer, SignIn,
    answer::Attempt,
    check::error,
    flow::{self, Found, Phase, SignUpRules},
    identity::Comer,
    sign_up::{name_taken, new_user, sign_up_fields},
    start::ensure_open,
    view::view,
    write::{NewAccount, Write},
};
use crate::{
    Error, ErrorKind, Result,
    limits::Lanes,
    model::{
        ClientFacts, EffectiveSettings, Email, Factor, NameKey, RecordId, Tenant, User, UserName,
        is_unprintable,
    },
    provider::{
        Action, ActionStyle, Admission, Display, Field, Form, Intent, NewAccounts, Verified,
    },
    secret::Secret,
    service::Offers,
    storage::{Scope, UnitOfWork},
};

/// Who asks what becomes of somebody new.
pub(super) const NEW_ACCOUNT: &str = "duty:new-account";
/// The button that leads to an account that is there.
const LINK: &str = "link";
/// The button that leads back to the choice.
const BACK: &str = "back";

/// What somebody new is asked.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Newcomer {
    /// What the third party is called.
    third_party: String,
    /// What the person is called there.
    name: String,
    /// Whether an account may be made.
    may_make: bool,
    /// Whether they may sign in to one that is there, to link it.
    may_link: bool,
    /// Whether the proven address is that of an account here.
    is_known: bool,
    /// What is known for the account.
    user_name: Option<String>,
    display_name: Option<String>,
    email: Option<Email>,
    email_verified: bool,
    rules: SignUpRules,
}

impl Newcomer {
    /// What is asked.
    pub(super) fn form(&self) -> Form {
        let third_party = &self.third_party;
        let message = match (self.is_known, self.may_make) {
            (true, _) => format!(
                "There is an account here with your address. Sign in to it once, and {third_party} is linked to it."
            ),
            (false, true) => {
                "You have no account here yet. Make one, or sign in to one that you have."
                    .to_owned()
            }
            (false, false) => format!(
                "No account here is linked to you at {third_party}. Sign in to the one that you have, and it is linked."
            ),
        };
        let mut actions = Vec::new();
        if self.may_link {
            let style = match self.is_known || !self.may_make {
                true => ActionStyle::Primary,
                false => ActionStyle::Secondary,
            };
            actions.push(button(LINK, "Sign in and link it", style));
        }
        actions.push(button(BACK, "Sign in another way", ActionStyle::Link));
        Form {
            message: Some(message),
            fields: match self.may_make {
                true => self.fields(),
                false => Vec::new(),
            },
            display: vec![Display::Text {
                label: third_party.clone(),
                value: self.name.clone(),
            }],
            actions,
        }
    }

    /// What an account needs, filled in as far as it is known.
    fn fields(&self) -> Vec<Field> {
        let mut fields = sign_up_fields(self.rules);
        fields.retain(|field| field.name != "email" || (self.email.is_none() && field.required));
        for field in &mut fields {
            field.value = match field.name.as_str() {
                "user_name" => self.user_name.clone(),
                "display_name" => self.display_name.clone(),
                _ => None,
            };
        }
        fields
    }

    /// What would be sent if nothing were changed; `None` where something is missing.
    fn as_it_is(&self) -> Option<BTreeMap<String, Secret>> {
        let mut values = BTreeMap::new();
        for field in self.fields() {
            match field.value {
                Some(value) => {
                    values.insert(field.name, Secret::new(value));
                }
                None if field.required => return None,
                None => {}
            }
        }
        Some(values)
    }
}

fn button(id: &str, label: &str, style: ActionStyle) -> Action {
    Action {
        id: id.to_owned(),
        label: label.to_owned(),
        style,
    }
}

impl Attempt<'_> {
    /// Somebody comes whom nobody is linked to.
    pub(super) async fn newcomer(mut self, comer: Comer) -> Result<Progress> {
        let flow = &self.found.flow;
        let signs_in = matches!(flow.intent, Intent::SignIn | Intent::SignUp);
        if !signs_in || flow.linked || flow.comer.is_some() {
            return self.refuse("not_linked").await;
        }
        let (newcomer, at_once) = self.plan(&comer).await?;
        if !newcomer.may_make && !newcomer.may_link {
            return self.refuse("not_linked").await;
        }
        let values = newcomer.as_it_is().filter(|_| at_once);
        let environment = self.platform.environment();
        let flow = &mut self.found.flow;
        flow.go_to(environment, Phase::Newcomer);
        flow.comer = Some(comer);
        flow.newcomer = Some(newcomer);
        // Who it is at the third party was just proven.
        let binding = flow.rebind(environment);
        let mut unit = self.platform.write(Scope::Platform).await?;
        self.found.version = flow::save(self.platform, unit.as_mut(), &self.found).await?;
        unit.commit().await?;
        let asked = Progress::Next {
            view: view(self.platform, &self.found),
            binding,
            hold_until: None,
        };
        let Some(values) = values else {
            return Ok(asked);
        };
        match self.make_account(values).await {
            // What is in the way is asked about; what has to wait is tried again.
            Ok(Progress::Invalid { .. } | Progress::Refused { .. }) => Ok(asked),
            Err(error) if error.kind() == ErrorKind::Limited => Ok(asked),
            other => other,
        }
    }

    /// What somebody new is asked, and whether an account is made at once.
    async fn plan(&self, comer: &Comer) -> Result<(Newcomer, bool)> {
        let admission = &self.configured.offering.admission;
        let mut newcomer = described(admission, comer);
        newcomer.third_party = self.configured.description.label.clone();
        newcomer.name = self.name_of(&comer.identity);
        let Some(tenant) = self.flow_tenant().await? else {
            let offers = Offers::anywhere(self.platform);
            newcomer.may_link = admission.linking && self.has_other_ways(&offers);
            return Ok((newcomer, false));
        };
        let mut unit = self.platform.read(Scope::Tenant(tenant.id)).await?;
        let offers = Offers::within(self.platform, unit.as_mut()).await?;
        self.meet(unit.as_mut(), &mut newcomer, comer).await?;
        unit.rollback().await?;
        let offered = offers.include(self.configured);
        let settings = &offers.settings;
        let policy = new_accounts(admission, settings);
        newcomer.may_make = offered && policy != NewAccounts::Refuse;
        newcomer.may_link = offered && admission.linking && self.has_other_ways(&offers);
        newcomer.rules = SignUpRules {
            email_required: settings.registration_email_required,
            display_name_required: settings.registration_display_name_required,
        };
        let at_once = newcomer.may_make && policy == NewAccounts::Create && !newcomer.is_known;
        Ok((newcomer, at_once))
    }

    /// Compares the address with those of people here. One that is not proven is
    /// compared with nobody's: who has it would learn nothing by it, and others would.
    async fn meet(
        &self,
        unit: &mut dyn UnitOfWork,
        newcomer: &mut Newcomer,
        comer: &Comer,
    ) -> Result<()> {
        let admission = &self.configured.offering.admission;
        let Some((email, verified)) = admission.email(&comer.identity.claims) else {
            return Ok(());
        };
        if verified < Verified::Provider {
            return Ok(());
        }
        let key = NameKey::of(email.as_str());
        if let Some(user) = unit.users().by_login(&key).await? {
            let same = |own: &Email| NameKey::of(own.as_str()) == key;
            newcomer.is_known =
                admission.linking && user.email_verified && user.email.as_ref().is_some_and(same);
            // Nobody has a verified address that is another's name or address.
            newcomer.email_verified = false;
        }
        Ok(())
    }

    /// Whether there are other ways to start a sign-in with.
    fn has_other_ways(&self, offers: &Offers<'_>) -> bool {
        let all = offers.providers();
        let mut others = all.filter(|other| other.id != self.configured.id);
        others.any(|other| other.description.first_step)
    }

    /// Makes the account, linked to the identity.
    async fn make_account(mut self, mut values: BTreeMap<String, Secret>) -> Result<Progress> {
        let flow = &self.found.flow;
        let (Some(comer), Some(newcomer)) = (flow.comer.clone(), flow.newcomer.clone()) else {
            return Err(flow::gone());
        };
        let Some(tenant) = self.flow_tenant().await? else {
            return Err(flow::gone());
        };
        if let Some(email) = &newcomer.email {
            values.insert("email".to_owned(), Secret::new(email.as_str()));
        }
        let (mut user, rest) = match new_user(self.platform, newcomer.rules, values) {
            Ok(new) => new,
            Err(errors) => return Ok(self.invalid(errors)),
        };
        if let Some(name) = rest.keys().next() {
            return Ok(self.invalid(vec![error(name, "unknown", "This step has no such field.")]));
        }
        user.email_verified = newcomer.email_verified && self.is_free(&tenant, &user).await?;
        if self.name_is_taken(&tenant, &user.user_name).await? {
            return Ok(self.invalid(vec![name_taken()]));
        }
        self.claimed = Claimed::Nobody {
            tenant: Some(tenant.clone()),
        };
        let factor = Factor {
            credential: Some(RecordId::generate(self.platform.environment())),
            ..comer.factor.clone()
        };
        let place = (tenant.id, user.id);
        let new = NewAccount {
            user,
            factor,
            comer: Some(comer),
        };
        self.write(place, Write::NewAccount(Box::new(new)), Vec::new())
            .await
    }

    /// Whether the address is nobody's name or verified address by now. Nobody learns
    /// of it: it only stays unverified.
    async fn is_free(&self, tenant: &Tenant, user: &User) -> Result<bool> {
        let Some(email) = &user.email else {
            return Ok(false);
        };
        let mut unit = self.platform.read(Scope::Tenant(tenant.id)).await?;
        let other = unit.users().by_login(&NameKey::of(email.as_str())).await?;
        unit.rollback().await?;
        Ok(other.is_none())
    }

    /// Names are asked for one by one only as fast as the network's lane allows.
    pub(super) async fn name_is_taken(&mut self, tenant: &Tenant, name: &UserName) -> Result<bool> {
        let lanes = Lanes::network(self.client.network.as_deref());
        let mut unit = self.platform.write(Scope::Platform).await?;
        lanes
            .reserve(unit.as_mut(), self.platform.limits(), self.platform.now())
            .await?;
        unit.enter(tenant.id).await?;
        let taken = unit.users().by_login(&name.key()).await?.is_some();
        unit.commit().await?;
        self.lanes = Some(lanes);
        Ok(taken)
    }

    /// Whether an account may be made by whoever comes this way.
    pub(super) async fn ensure_may_join(
        &self,
        unit: &mut dyn UnitOfWork,
        tenant: &Tenant,
        new: &NewAccount,
    ) -> Result<()> {
        let settings = self.platform.effective_settings(unit, tenant.id).await?;
        let admission = &self.configured.offering.admission;
        let may = match new.comer {
            None => settings.registration_enabled,
            Some(_) => new_accounts(admission, &settings) != NewAccounts::Refuse,
        };
        match may {
            true => Ok(()),
            false => Err(super::start::no_registration()),
        }
    }

    async fn go_back(mut self, links: bool) -> Result<Progress> {
        let flow = &mut self.found.flow;
        flow.newcomer = None;
        match &mut flow.comer {
            Some(comer) if links => comer.links = true,
            comer => *comer = None,
        }
        flow.go_to(self.platform.environment(), Phase::First);
        flow.intent = Intent::SignIn;
        ensure_open(self.platform, &mut self.found, self.client).await?;
        Ok(Progress::Next {
            view: view(self.platform, &self.found),
            binding: None,
            hold_until: None,
        })
    }
}

impl SignIn<'_> {
    /// Somebody new decides.
    pub(super) async fn decide(
        &self,
        found: Found,
        reply: Reply,
        client: &ClientFacts,
    ) -> Result<Progress> {
        let flow = &found.flow;
        let newcomer = flow.newcomer.clone();
        let connection = flow.comer.as_ref().map(|comer| &comer.identity.connection);
        let configured = connection.and_then(|id| self.0.providers().provider(id));
        let newcomer = newcomer.filter(|_| reply.provider == NEW_ACCOUNT);
        let (Some(newcomer), Some(configured)) = (newcomer, configured) else {
            return Err(Error::not_found("provider in this step"));
        };
        let attempt = Attempt::new(self.0, (found, 0), configured, client, reply.device);
        match reply.answer {
            ReplyAnswer::Action(action) if action == BACK => attempt.go_back(false).await,
            ReplyAnswer::Action(action) if action == LINK && newcomer.may_link => {
                attempt.go_back(true).await
            }
            ReplyAnswer::Fields(mut values) if newcomer.may_make => {
                let errors = super::check::check(&newcomer.form(), &mut values);
                match errors.is_empty() {
                    true => attempt.make_account(values).await,
                    false => Ok(attempt.invalid(errors)),
                }
            }
            ReplyAnswer::Go => Ok(Progress::Next {
                view: view(self.0, &attempt.found),
                binding: None,
                hold_until: None,
            }),
            _ => Ok(attempt.invalid(vec![error(
                "answer",
                "unexpected",
                "This step takes another kind of answer.",
            )])),
        }
    }
}

/// What becomes of somebody new, where the connection says nothing: what the tenant
/// says of those who register themselves.
fn new_accounts(admission: &Admission, settings: &EffectiveSettings) -> NewAccounts {
    let usual = match settings.registration_enabled {
        true => NewAccounts::Ask,
        false => NewAccounts::Refuse,
    };
    admission.new_accounts.unwrap_or(usual)
}

/// What the third party says that an account needs.
fn described(admission: &Admission, comer: &Comer) -> Newcomer {
    let claims = &comer.identity.claims;
    // What cannot be seen is in no name here.
    let text = |name: &str| {
        let shown = claims.get(name)?.value.chars();
        let shown: String = shown.filter(|c| !is_unprintable(*c)).collect();
        Some(shown.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let email = admission.email(claims);
    let proven = email
        .as_ref()
        .filter(|(_, verified)| *verified >= Verified::Provider)
        .map(|(email, _)| email.as_str().to_owned());
    // A name that looks like an address is one's own address, or it is none.
    let said = text(&admission.claims.user_name).or_else(|| proven.clone());
    let user_name = said.map(|said| match said.split_once('@') {
        Some((local, _)) if proven.as_ref() != Some(&said) => local.to_owned(),
        _ => said,
    });
    Newcomer {
        third_party: String::new(),
        name: String::new(),
        may_make: false,
        may_link: false,
        is_known: false,
        user_name: user_name.filter(|name| UserName::new(name).is_ok()),
        display_name: text(&admission.claims.display_name),
        email_verified: matches!(email, Some((_, Verified::Mailbox | Verified::DomainOwner))),
        email: email.map(|(email, _)| email),
        rules: SignUpRules::default(),
    }
}
