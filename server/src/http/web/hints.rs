//! What can be said of a first password before one is typed: the words of the
//! provider that will check it.

use async_trait::async_trait;
use gatelodge_core::{
    Environment, Error, ErrorKind, Result,
    model::{ClientFacts, UserId},
    provider::{
        Configured, Context, Facts, FieldKind as Kind, HttpRequest, HttpResponse, Intent,
        KeptRecord, Role, Services, Step, Strength, Subject,
    },
};

use super::{problem::PageProblem, visit::Visit};
use crate::pages::views::{Field, FieldKind};

/// A field for a first password.
pub(super) async fn first_password(visit: &Visit, name: &str) -> Result<Field, PageProblem> {
    let label = visit.t("field.password")?;
    let mut field = Field::new(FieldKind::NewPassword, name, label).autocomplete("new-password");
    for configured in visit.platform().providers().providers() {
        let Some(asked) = asked(visit, configured).await else {
            continue;
        };
        field.min_length = asked.min_length;
        field.max_length = asked.max_length;
        field.help = asked.help;
        break;
    }
    Ok(field)
}

/// The one secret that a provider asks for to be set up.
async fn asked(visit: &Visit, configured: &Configured) -> Option<gatelodge_core::provider::Field> {
    let enrolment = configured.provider.enrolment()?;
    if !configured.description.first_step {
        return None;
    }
    let facts = facts(visit, configured)?;
    let services = Nothing(visit.platform().environment());
    let context = Context {
        facts: &facts,
        services: &services,
    };
    let turn = enrolment.begin(&context).await.ok()?;
    let Step::Prompt { form } = turn.step else {
        return None;
    };
    let fits = form.fields.iter().all(|field| field.role == Role::Secret);
    let mut fields = form.fields.into_iter();
    fields
        .next()
        .filter(|f| fits && f.kind == Kind::NewPassword)
}

/// The facts about somebody who does not exist yet.
fn facts(visit: &Visit, configured: &Configured) -> Option<Facts> {
    let origins = visit.app.policy().origins();
    let origin = match &visit.tenant {
        Some(tenant) => origins.of(&tenant.name),
        None => origins.server().clone(),
    };
    Some(Facts {
        provider: configured.id.clone(),
        intent: Intent::Enrol,
        tenant: None,
        subject: Some(Subject {
            id: UserId::from_uuid(uuid::Uuid::nil()),
            user_name: String::new(),
            display_name: String::new(),
            email: None,
            email_verified: false,
        }),
        proofs: Vec::new(),
        demanded: Strength::OneFactor,
        now: visit.platform().now(),
        rp_id: origin.host_str().unwrap_or_default().to_owned(),
        origin,
        callback: None,
        oauth_state: None,
        channels: Vec::new(),
        locale: "en".to_owned(),
        client: ClientFacts::default(),
    })
}

/// Knows nothing and does nothing.
struct Nothing<'a>(&'a Environment);

#[async_trait]
impl Services for Nothing<'_> {
    fn random(&self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    async fn subject_records(&self) -> Result<Vec<KeptRecord>> {
        Ok(Vec::new())
    }

    async fn record_by_key(&self, _key: &str) -> Result<Option<KeptRecord>> {
        Ok(None)
    }

    async fn fetch(&self, _request: HttpRequest) -> Result<HttpResponse> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "no requests to the outside",
        ))
    }
}
