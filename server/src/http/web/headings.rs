//! What a step's page is called, and what is said of why it is there.

use gatelodge_core::{
    engine::{DutyReason, LinkingView, StepBody},
    provider::{ActionStyle, Display, Intent},
};

use super::{
    gate::Gate,
    problem::PageProblem,
    steps::{NEW_ACCOUNT, Sheet},
};

impl Sheet<'_> {
    pub(super) fn title(&self) -> Result<String, PageProblem> {
        let body = self.flow.step.as_ref().map(|step| &step.body);
        if self.adds_factor() {
            return match body {
                Some(StepBody::Prompt { provider, .. }) => {
                    let label = self.label(provider);
                    self.visit.tv("flow.set_up.title", &[("method", &label)])
                }
                _ => self.visit.t("flow.add_factor.title"),
            };
        }
        if let Some(method) = self.links_with() {
            return self.visit.tv("flow.link.title", &[("method", &method)]);
        }
        if let Some(method) = self.removes() {
            let values = [("method", method)];
            return self.visit.tv("flow.remove_factor.title", &values);
        }
        let key = match (self.gate, body) {
            (_, Some(StepBody::Prompt { provider, .. })) if provider == "duty:choose-tenant" => {
                "flow.choose_tenant.title"
            }
            (_, Some(StepBody::Prompt { provider, form })) if provider == NEW_ACCOUNT => {
                // Signing in to an account that is there is then what is meant.
                match form.actions.iter().any(|a| a.style == ActionStyle::Primary) {
                    true => "flow.new_account.link_title",
                    false => "flow.new_account.title",
                }
            }
            (_, Some(StepBody::Prompt { provider, .. })) if provider.starts_with("duty:") => {
                "flow.duty.title"
            }
            (Gate::SignUp, _) => "flow.sign_up.title",
            (Gate::Recover, _) => "flow.recover.title",
            (Gate::Account, Some(StepBody::Prompt { .. }))
                if self.flow.intent == Intent::Verify =>
            {
                "link.verify.title"
            }
            (Gate::Account, Some(StepBody::Prompt { provider, .. })) => {
                let label = self.label(provider);
                return self.visit.tv("flow.set_up.title", &[("method", &label)]);
            }
            (Gate::SignIn, _) if self.links_later().is_some() => "flow.new_account.link_title",
            (Gate::SignIn, _) if self.first || !self.flow.proven => "flow.sign_in.title",
            (Gate::SignIn, Some(StepBody::Choose { .. } | StepBody::Prompt { .. }))
            | (Gate::Account, _) => "flow.second_step.title",
            (Gate::SignIn, _) => "flow.sign_in.title",
        };
        self.visit.t(key)
    }

    /// Whether a second factor is set up because one is required.
    pub(super) fn adds_factor(&self) -> bool {
        let step = self.flow.step.as_ref();
        step.is_some_and(|step| step.reason == Some(DutyReason::SecondFactorRequired))
    }

    /// The third party that an account is linked at, once its owner is proven.
    fn links_with(&self) -> Option<String> {
        let links = self.flow.intent == Intent::Link && self.flow.proven;
        match self.flow.step.as_ref().map(|step| &step.body) {
            Some(StepBody::Choose { providers, .. }) if links => {
                providers.first().map(|offer| offer.label.clone())
            }
            Some(StepBody::Redirect { provider, .. }) if links => Some(self.label(provider)),
            _ => None,
        }
    }

    /// What is linked to the account that somebody signs in to, unless they begin anew.
    pub(super) fn links_later(&self) -> Option<&LinkingView> {
        self.flow.linking.as_ref().filter(|_| self.first)
    }

    /// What is called like this is removed, once its owner says so.
    fn removes(&self) -> Option<&str> {
        match self.flow.step.as_ref().map(|step| &step.body) {
            Some(StepBody::Prompt { provider, form }) if provider == "duty:remove-factor" => {
                form.display.iter().find_map(|item| match item {
                    Display::Text { label, .. } => Some(label.as_str()),
                    _ => None,
                })
            }
            _ => None,
        }
    }

    /// What is linked by this, or is going to be.
    pub(super) fn linking(&self) -> Result<Option<String>, PageProblem> {
        if let Some(method) = self.links_with() {
            let text = self.visit.tv("flow.link.text", &[("method", &method)])?;
            return Ok(Some(text));
        }
        let Some(linking) = self.links_later() else {
            return Ok(None);
        };
        let values = [
            ("method", linking.third_party.as_str()),
            ("name", linking.name.as_str()),
        ];
        Ok(Some(self.visit.tv("flow.linking", &values)?))
    }

    /// Why one is, and by when.
    pub(super) fn why(&self) -> Result<Option<String>, PageProblem> {
        let Some(step) = self.flow.step.as_ref().filter(|_| self.adds_factor()) else {
            return Ok(None);
        };
        let why = match step.due {
            None => self.visit.t("flow.add_factor.now")?,
            Some(due) => {
                let when = self.visit.time(due)?;
                let values = [("when", when.text.as_str())];
                self.visit.tv("flow.add_factor.later", &values)?
            }
        };
        Ok(Some(why))
    }
}
