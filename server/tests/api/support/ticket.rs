use async_trait::async_trait;
use gatelodge_core::{
    Result,
    model::{FactorClass, TenantId, UserId},
    provider::{
        Answer, Context, Description, Entry, Field, FieldKind, Form, Proof, Provider, Role, State,
        Turn, Who,
    },
};

/// Believes whoever names a tenant, a user and perhaps a scope: `tenant user scope`.
/// It makes sessions without the cost of a password.
pub(super) struct Ticket;

#[async_trait]
impl Provider for Ticket {
    fn describe(&self) -> Description {
        Description {
            kind: "ticket".to_owned(),
            label: "Ticket".to_owned(),
            class: FactorClass::Possession,
            amr: "tkt".to_owned(),
            first_step: true,
            second_factor: false,
            backup: false,
            enrolment: false,
            finds_tenant: true,
            inline: true,
            links: Vec::new(),
            silent: false,
            third_party: false,
            mark: gatelodge_core::provider::Mark::default(),
            refusal_floor_ms: 0,
        }
    }

    async fn begin(&self, _: &Context<'_>, _: Entry) -> Result<Turn> {
        let ticket = Field::new("ticket", FieldKind::Code, Role::Code, "Ticket", "off");
        Ok(Turn::prompt(Form {
            fields: vec![ticket],
            ..Form::default()
        }))
    }

    async fn resume(&self, _: &Context<'_>, _: State, answer: Answer) -> Result<Turn> {
        let ticket = answer.field("ticket").unwrap().expose().to_owned();
        let mut parts = ticket.split(' ');
        let tenant: TenantId = parts.next().unwrap().parse().unwrap();
        let user: UserId = parts.next().unwrap().parse().unwrap();
        Ok(Turn::proven(Proof {
            scope: parts.next().map(str::to_owned),
            ..Proof::of(Who::Candidates {
                users: vec![(tenant, user)],
            })
        }))
    }
}
