//! A step of a flow as a page.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use gatelodge_core::{
    Error,
    engine::{FlowView, Notice, Offer, StepBody},
    model::{ProviderId, Tenant},
    provider::{self, Description, Form, Role},
    secret::Secret,
    service::TenantRef,
};

use super::{
    destination::let_forms_lead_on,
    frame::Nav,
    gate::{GO, Gate, NAME_FIELD, asks_who},
    problem::PageProblem,
    remember::Remembered,
    stay,
    visit::{Answer, Visit, with_parameter},
};
use crate::pages::views::{
    Action, ActionStyle, DisplayItem, Field, FieldKind, FlowView as View, Instead, Link, MarkShape,
    Method, MethodKind, Post, QrCode, Shown, StepForm, TenantLabel,
};

const TENANT: &str = "tenant";
/// Who is answered about a choice of second factors.
const ENGINE: &str = "duty:second-factor";
/// Who asks what becomes of somebody new.
pub(super) const NEW_ACCOUNT: &str = "duty:new-account";

/// What a page shows of an answer that did not lead on.
pub(super) struct Again<'a> {
    pub(super) status: StatusCode,
    /// Who was answered.
    pub(super) provider: Option<&'a str>,
    /// What was filled in.
    pub(super) typed: Option<&'a BTreeMap<String, Secret>>,
    /// Whether the name was to be remembered.
    pub(super) remember: Option<bool>,
    /// Whether the person wanted to stay signed in.
    pub(super) stay: Option<bool>,
    /// What to say of it.
    pub(super) error: Option<String>,
    /// What to say of its fields.
    pub(super) errors: &'a [provider::FieldError],
}

impl Default for Again<'_> {
    fn default() -> Self {
        Self {
            status: StatusCode::OK,
            provider: None,
            typed: None,
            remember: None,
            stay: None,
            error: None,
            errors: &[],
        }
    }
}

impl Again<'_> {
    /// Whether there was one.
    fn is_answer(&self) -> bool {
        self.status != StatusCode::OK
    }
}

/// The page of a flow's present step.
pub(super) async fn page(visit: &Visit, gate: Gate, flow: &FlowView, again: &Again<'_>) -> Answer {
    let first = asks_who(flow);
    let stay = match gate == Gate::SignIn && first {
        true => stay::offered(visit, flow.tenant.as_deref()).await?,
        false => None,
    };
    let sheet = Sheet {
        visit,
        gate,
        flow,
        again,
        remembered: remembered(visit, gate, flow),
        stay: stay.map(|kept| again.stay.unwrap_or(kept)),
        first,
    };
    let mut view = View::new(sheet.title()?);
    view.frame = match gate {
        Gate::Account => visit.frame(Nav::Account)?,
        Gate::SignIn | Gate::SignUp | Gate::Recover => visit.gate_frame(),
    };
    view.tenant = flow.tenant.as_ref().map(|name| {
        let shown = flow.tenant_display_name.as_ref().unwrap_or(name);
        TenantLabel::new(name, shown)
    });
    if let Some(name) = flow.application_name.as_ref().filter(|_| first) {
        view.intro = Some(visit.tv("flow.for_application", &[("name", name)])?);
    }
    view.notice = visit.notice()?;
    view.error.clone_from(&again.error);
    if let (None, Some(notice)) = (&view.error, flow.notice) {
        view.error = Some(visit.t(notice_key(notice))?);
    }
    sheet.fill(&mut view)?;
    sheet.errors(&mut view);
    view.links = sheet.links().await?;
    let mut response = visit.page(again.status, &view)?;
    let_forms_lead_on(visit, flow, response.headers_mut()).await?;
    if !again.is_answer() {
        lead_away(&view, response.headers_mut())?;
    }
    Ok(response)
}

/// What is said of a way to a third party that led nowhere.
fn notice_key(notice: Notice) -> &'static str {
    match notice {
        Notice::Cancelled => "flow.notice.cancelled",
        Notice::NotLinked => "flow.notice.not_linked",
        Notice::LinkedElsewhere => "flow.notice.linked_elsewhere",
        Notice::Barred => "flow.notice.barred",
        Notice::Failed => "flow.notice.failed",
    }
}

/// On to a third party without a click, where that is all there is to do.
///
/// Not by a redirect: browsers hold `form-action` against every redirect that follows a
/// form, also against those with which the third party goes on from there, and nobody
/// knows them beforehand. With this page the form has come to its end.
fn lead_away(view: &View, headers: &mut HeaderMap) -> Result<(), PageProblem> {
    let [Method { kind, .. }] = view.methods.as_slice() else {
        return Ok(());
    };
    if let MethodKind::Link { href } = kind {
        let onward = HeaderValue::from_str(&format!("0;url={href}"));
        let onward = onward.map_err(|_| Error::internal("a web address is no header"))?;
        headers.insert(header::REFRESH, onward);
    }
    Ok(())
}

fn remembered(visit: &Visit, gate: Gate, flow: &FlowView) -> Option<Remembered> {
    let offered = visit.app.config().pages.remember_name && gate == Gate::SignIn;
    let names = Remembered::read(&visit.cookies).filter(|_| offered)?;
    names.fits(flow.tenant.as_deref()).then_some(names)
}

/// Everything that decides how a step looks.
pub(super) struct Sheet<'a> {
    pub(super) visit: &'a Visit,
    pub(super) gate: Gate,
    pub(super) flow: &'a FlowView,
    again: &'a Again<'a>,
    remembered: Option<Remembered>,
    /// Whether the box to stay signed in is ticked, where it is offered.
    stay: Option<bool>,
    /// Whether nobody has been named yet.
    pub(super) first: bool,
}

impl Sheet<'_> {
    /// What a provider says of itself; `None` for what the engine asks.
    fn description(&self, provider: &str) -> Option<&Description> {
        let id = ProviderId::new(provider).ok()?;
        let configured = self.visit.platform().providers().provider(&id)?;
        Some(&configured.description)
    }

    pub(super) fn label(&self, provider: &str) -> String {
        let description = self.description(provider);
        description.map_or_else(|| provider.to_owned(), |found| found.label.clone())
    }

    fn fill(&self, view: &mut View) -> Result<(), PageProblem> {
        let Some(step) = &self.flow.step else {
            return Ok(());
        };
        if let Some(why) = self.why()?.or(self.linking()?) {
            view.intro = Some(why);
        }
        match &step.body {
            StepBody::Choose { providers, actions } => {
                view.instead = actions.iter().map(|action| self.instead(action)).collect();
                for offer in providers {
                    view.methods.extend(self.offer(offer)?);
                }
                let scripted = providers.iter().any(|offer| offer.challenge.is_some());
                if scripted || view.methods.is_empty() {
                    let key = if scripted {
                        "flow.needs_script"
                    } else {
                        "flow.no_way"
                    };
                    view.intro = Some(self.visit.t(key)?);
                }
            }
            StepBody::Prompt { provider, form } => {
                let kind = self.form(provider, form)?;
                view.methods.push(self.method(provider, kind, Some(form)));
            }
            StepBody::Redirect { provider, url } => self.redirect(view, provider, url)?,
            StepBody::Wait { provider, .. } => {
                let message = self.visit.t("flow.wait")?;
                let kind = MethodKind::Wait { message };
                view.methods.push(self.method(provider, kind, None));
            }
            StepBody::Challenge { .. } => view.intro = Some(self.visit.t("flow.needs_script")?),
        }
        Ok(())
    }

    fn offer(&self, offer: &Offer) -> Result<Option<Method>, PageProblem> {
        Ok(match (&offer.form, &offer.challenge) {
            (Some(form), _) => {
                let kind = self.form(&offer.id, form)?;
                Some(self.method(&offer.id, kind, Some(form)))
            }
            (None, Some(_)) => None,
            (None, None) => {
                let mut method = self.method(&offer.id, MethodKind::Redirect, None);
                let values = [("method", offer.label.as_str())];
                let key = match self.adds_factor() {
                    true => "flow.add_factor.choose",
                    false => "flow.continue_with",
                };
                method.label = self.visit.tv(key, &values)?;
                Some(method)
            }
        })
    }

    /// To a third party: by a link, should the browser not go there by itself.
    fn redirect(&self, view: &mut View, provider: &str, url: &str) -> Result<(), PageProblem> {
        let parsed = url::Url::parse(url).ok();
        if !parsed.is_some_and(|url| matches!(url.scheme(), "https" | "http")) {
            let error = Error::internal("a provider leads to no web address");
            return Err(error.into());
        }
        let label = self.label(provider);
        let values = [("method", label.as_str())];
        if !self.again.is_answer() {
            view.intro = Some(self.visit.tv("flow.leaving", &values)?);
        }
        let href = url.to_owned();
        let mut method = self.method(provider, MethodKind::Link { href }, None);
        method.label = self.visit.tv("flow.continue_with", &values)?;
        view.methods.push(method);
        Ok(())
    }

    /// Where an answer goes that a provider gets.
    fn post(&self, provider: &str) -> Post {
        let step = self.flow.step.as_ref();
        let post = match self.gate {
            Gate::Account => self.visit.post(self.gate.path()),
            Gate::SignIn | Gate::SignUp | Gate::Recover => {
                Post::new(self.visit.at(self.gate.path()))
            }
        };
        post.hidden("flow", &self.flow.id)
            .hidden("step", step.map_or("", |step| step.id.as_str()))
            .hidden("provider", provider)
    }

    /// What the server itself offers in place of a choice.
    fn instead(&self, action: &provider::Action) -> Instead {
        Instead {
            post: self.post(ENGINE).hidden("action", &action.id),
            label: action.label.clone(),
        }
    }

    fn method(&self, provider: &str, kind: MethodKind, form: Option<&Form>) -> Method {
        let mut post = self.post(provider);
        if form.is_none() {
            post = post.hidden(GO, "1");
        }
        let identifier = form.and_then(|form| identifier(form).map(|f| f.name.clone()));
        let offered = self.visit.app.config().pages.remember_name && self.gate == Gate::SignIn;
        let stay = identifier.as_ref().and(self.stay);
        let identifier = identifier.filter(|_| offered);
        let ticked = self.again.remember.unwrap_or(self.remembered.is_some());
        let remember_name = identifier.as_ref().map(|_| ticked);
        if let Some(identifier) = identifier {
            post = post.hidden(NAME_FIELD, identifier);
        }
        let description = self.description(provider);
        let mark = description.map(|found| mark(&found.mark));
        Method {
            id: provider.to_owned(),
            label: self.label(provider),
            third_party: description.is_some_and(|found| found.third_party),
            mark: mark.unwrap_or_default(),
            post,
            tenant_field: None,
            remember_name,
            stay,
            kind,
        }
    }

    fn form(&self, provider: &str, form: &Form) -> Result<MethodKind, PageProblem> {
        let answered = self.again.provider == Some(provider);
        let fields = form.fields.iter().map(|field| {
            let mut shown = field_view(field);
            if let Some(value) = self.value(field, answered) {
                shown.value = Some(value);
            }
            if answered {
                let errors = self.again.errors.iter();
                let own = errors.filter(|error| error.field == field.name);
                let messages: Vec<_> = own.map(|error| error.message.as_str()).collect();
                shown.error = (!messages.is_empty()).then(|| messages.join(" "));
            }
            shown
        });
        Ok(MethodKind::Form {
            form: StepForm {
                message: form.message.clone(),
                fields: fields.collect(),
                display: form.display.iter().map(display).collect(),
                actions: self.actions(provider, form)?,
            },
        })
    }

    /// What a field holds: what was typed, else what is remembered. Never a secret.
    fn value(&self, field: &provider::Field, answered: bool) -> Option<String> {
        let open = matches!(field.role, Role::Identifier | Role::Other)
            && !matches!(
                field.kind,
                provider::FieldKind::Password
                    | provider::FieldKind::NewPassword
                    | provider::FieldKind::Code
            );
        if !open {
            return None;
        }
        if let Some(typed) = self.again.typed.filter(|_| answered) {
            return typed.get(&field.name).map(|v| v.expose().to_owned());
        }
        let remembered = self.remembered.as_ref();
        if field.role == Role::Identifier && self.gate == Gate::SignIn {
            return remembered.map(|names| names.user.clone());
        }
        let asks_tenant = field.name == TENANT && field.choices.is_empty();
        if asks_tenant {
            let tenancy = &self.visit.app.config().tenancy;
            let names = remembered.and_then(|names| names.tenant.clone());
            return names.or_else(|| tenancy.default_tenant.clone());
        }
        None
    }

    fn actions(&self, provider: &str, form: &Form) -> Result<Vec<Action>, PageProblem> {
        let mut actions = Vec::new();
        let own_way = form
            .actions
            .iter()
            .any(|a| a.style == provider::ActionStyle::Primary);
        if !form.fields.is_empty() || !own_way {
            let key = match self.gate {
                _ if provider == NEW_ACCOUNT => "flow.sign_up",
                Gate::SignUp => "flow.sign_up",
                Gate::SignIn if self.first => "flow.sign_in",
                Gate::SignIn | Gate::Account | Gate::Recover => "flow.continue",
            };
            let mut submit = Action::submit(self.visit.t(key)?);
            if own_way {
                submit.style = ActionStyle::Secondary;
            }
            actions.push(submit);
        }
        actions.extend(form.actions.iter().map(|action| Action {
            style: match action.style {
                provider::ActionStyle::Primary => ActionStyle::Primary,
                provider::ActionStyle::Secondary => ActionStyle::Secondary,
                provider::ActionStyle::Link => ActionStyle::Link,
            },
            ..Action::other(&action.id, &action.label)
        }));
        Ok(actions)
    }

    /// Errors about what is not on the page are said above it.
    fn errors(&self, view: &mut View) {
        let shown = |name: &str| {
            view.methods.iter().any(|method| match &method.kind {
                MethodKind::Form { form } => {
                    let mut fields = form.fields.iter();
                    fields.any(|field| field.name == name && field.error.is_some())
                }
                _ => false,
            })
        };
        let rest = self
            .again
            .errors
            .iter()
            .filter(|error| !shown(&error.field));
        let rest: Vec<_> = rest.map(|error| error.message.as_str()).collect();
        if !rest.is_empty() && view.error.is_none() {
            view.error = Some(rest.join(" "));
        }
    }

    async fn links(&self) -> Result<Vec<Link>, PageProblem> {
        let link = |path: &str, key: &str| {
            let mut href = self.visit.at(path);
            if let Some(application) = &self.flow.application {
                href = with_parameter(&href, "application", &application.to_string());
            }
            if let Some(return_to) = &self.flow.return_to {
                href = with_parameter(&href, "return_to", return_to);
            }
            self.visit.t(key).map(|label| Link::new(href, label))
        };
        Ok(match self.gate {
            // Beginning anew, nothing is linked.
            Gate::SignIn if self.links_later().is_some() => {
                vec![link("/sign-in?again=1", "flow.start_again")?]
            }
            // Its form has a way back of its own.
            Gate::SignIn | Gate::SignUp if self.is_new() => Vec::new(),
            Gate::SignIn if self.first => {
                let mut links = Vec::new();
                if self.recovery().await? {
                    links.push(link("/forgot-password", "flow.forgot_password")?);
                }
                if self.registration().await? {
                    links.push(link("/sign-up", "flow.create_account")?);
                }
                links
            }
            // A device that is remembered would lead to the same step again.
            Gate::SignIn if stay::is_kept(self.visit, None) => {
                vec![link("/sign-in?again=1", "flow.start_again")?]
            }
            Gate::SignIn => vec![link("/sign-in", "flow.start_again")?],
            Gate::SignUp => vec![link("/sign-in", "flow.have_account")?],
            Gate::Recover => vec![link("/sign-in", "flow.back_to_sign_in")?],
            Gate::Account => {
                let label = self.visit.t("console.cancel")?;
                vec![Link::new(self.visit.at("/account"), label)]
            }
        })
    }

    /// Whether somebody is asked what becomes of them whom nobody here is linked to.
    fn is_new(&self) -> bool {
        let body = self.flow.step.as_ref().map(|step| &step.body);
        matches!(body, Some(StepBody::Prompt { provider, .. }) if provider == NEW_ACCOUNT)
    }

    /// Whether a forgotten password can be replaced here.
    async fn recovery(&self) -> Result<bool, PageProblem> {
        let platform = self.visit.platform();
        let tenant = self.flow_tenant().await?.map(|tenant| tenant.id);
        let purpose = provider::LinkPurpose::Reset;
        Ok(platform.mails_links(purpose, tenant).await?)
    }

    /// The tenant that the flow is in, once it is in one.
    async fn flow_tenant(&self) -> Result<Option<Tenant>, PageProblem> {
        let Some(name) = &self.flow.tenant else {
            return Ok(None);
        };
        if self.visit.tenant.is_some() {
            return Ok(self.visit.tenant.clone());
        }
        let tenants = self.visit.platform().tenants();
        Ok(tenants.find(&TenantRef::parse(name)).await?)
    }

    /// Whether people may make accounts for themselves here.
    async fn registration(&self) -> Result<bool, PageProblem> {
        let tenants = self.visit.platform().tenants();
        Ok(match self.flow_tenant().await? {
            Some(tenant) => {
                tenants
                    .public_settings(tenant.id)
                    .await?
                    .registration_enabled
            }
            None => false,
        })
    }
}

fn identifier(form: &Form) -> Option<&provider::Field> {
    form.fields
        .iter()
        .find(|field| field.role == Role::Identifier)
}

/// The picture of a way to sign in.
pub(super) fn mark(mark: &provider::Mark) -> Vec<MarkShape> {
    let shape = |shape: &provider::Shape| MarkShape {
        path: shape.path.clone(),
        fill: shape.fill.clone(),
    };
    mark.shapes().iter().map(shape).collect()
}

fn field_view(field: &provider::Field) -> Field {
    let kind = match field.kind {
        provider::FieldKind::Text => FieldKind::Text,
        provider::FieldKind::Email => FieldKind::Email,
        provider::FieldKind::Password => FieldKind::Password,
        provider::FieldKind::NewPassword => FieldKind::NewPassword,
        provider::FieldKind::Code => FieldKind::Code,
        provider::FieldKind::Choice => FieldKind::Choice,
        provider::FieldKind::Checkbox => FieldKind::Checkbox,
    };
    let mut view = Field::new(kind, &field.name, &field.label).autocomplete(&field.autocomplete);
    view.required = field.required;
    view.min_length = field.min_length;
    view.max_length = field.max_length;
    view.help.clone_from(&field.help);
    view.value.clone_from(&field.value);
    for choice in &field.choices {
        view = view.option(&choice.value, &choice.label);
    }
    view
}

fn display(item: &provider::Display) -> DisplayItem {
    let shown = |value: &Secret| Shown::new(value.expose());
    match item {
        provider::Display::Text { label, value } => DisplayItem::Text {
            label: label.clone(),
            value: value.clone(),
        },
        provider::Display::Secret { label, value } => DisplayItem::Secret {
            label: label.clone(),
            value: shown(value),
        },
        provider::Display::Qr { label, value } => match QrCode::of(value.expose()) {
            Some(code) => DisplayItem::Qr {
                label: label.clone(),
                code,
            },
            // What is too long for a picture can still be copied.
            None => DisplayItem::Secret {
                label: label.clone(),
                value: shown(value),
            },
        },
        provider::Display::CodeList { label, values } => DisplayItem::CodeList {
            label: label.clone(),
            codes: values.iter().map(shown).collect(),
        },
    }
}
