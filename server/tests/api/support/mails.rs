//! What was mailed to people, and what they do with it.

use gatelodge_core::{
    access::Caller,
    provider::{Delivery, Link, LinkPurpose, LinkRequest, Message},
};
use serde_json::{Value, json};

use super::{Answer, PASSWORD, Person, World, flow_path};

/// The provider of links and codes by mail.
pub(crate) const MAILED: &str = "one-time-token";
/// The duty of choosing a new password.
pub(crate) const DUTY: &str = "duty:change-credential";

impl Person {
    /// The mailbox.
    pub(crate) fn mailbox(&self) -> String {
        format!("{}@example.com", self.name)
    }
}

impl World {
    /// All that was mailed to an address, oldest first.
    pub(crate) async fn mails(&self, to: &str) -> Vec<Message> {
        while self.platform.deliver().await.unwrap().is_some() {}
        self.post.at(to)
    }

    /// The newest mail from a template.
    pub(crate) async fn newest(&self, person: &Person, template: &str) -> Message {
        let mails = self.mails(&person.mailbox()).await;
        let newest = mails.into_iter().rfind(|mail| mail.template == template);
        newest.unwrap_or_else(|| panic!("no mail `{template}`"))
    }

    /// Answers a flow with the values of a form.
    pub(crate) async fn fill(&self, flow: &Value, provider: &str, values: Value) -> Answer {
        let body = json!({"provider": provider, "answer": values});
        self.post(flow_path(flow)).json(&body).send().await
    }

    /// Opens a link; nothing is done with it.
    pub(crate) async fn open(&self, tenant: &str, purpose: &str, token: &str) -> Answer {
        let link = json!({"purpose": purpose, "token": token});
        let body = json!({"transport": "token", "tenant": tenant, "link": link});
        let call = self.post("/api/v1/sign-in/flows").json(&body);
        call.send().await
    }

    /// Opens a link and confirms it.
    pub(crate) async fn redeem(&self, person: &Person, link: &Link) -> Answer {
        let (purpose, token) = (link.purpose.as_str(), link.token.expose());
        let opened = self.open(&person.tenant_name, purpose, token).await;
        match opened.status.as_u16() {
            201 => self.fill(&opened.json(), MAILED, json!({})).await,
            _ => opened,
        }
    }

    /// Chooses a new password, as duty asks.
    pub(crate) async fn choose(&self, flow: &Value, password: &str) -> Answer {
        assert_eq!(flow["step"]["provider"], DUTY, "{flow}");
        self.fill(flow, DUTY, json!({"new_password": password}))
            .await
    }

    /// An invitation, as it was mailed.
    pub(crate) async fn invite(&self, person: &Person) -> Message {
        let request = LinkRequest {
            purpose: LinkPurpose::Invite,
            page: None,
            delivery: Delivery::Mail,
        };
        let users = self.platform.users();
        let place = (person.tenant, person.id);
        let made = users.make_link(&Caller::operator(), place, request).await;
        assert!(made.unwrap().address.is_none());
        self.newest(person, "invite").await
    }

    /// Somebody of `home` with a verified address and [`PASSWORD`].
    pub(crate) async fn invited(&self, name: &str) -> Person {
        let person = self.person("home", name).await;
        let mail = self.invite(&person).await;
        let flow = self.redeem(&person, link_of(&mail)).await.expect(200);
        self.choose(&flow.json(), PASSWORD).await.expect(200);
        person
    }

    /// Asks for a mail about a forgotten password.
    pub(crate) async fn forget(&self, tenant: &str, name: &str) -> Answer {
        let recovery = json!({"tenant": tenant, "intent": "recover"});
        let flow = self.begin(recovery).await;
        assert_eq!(flow["step"]["providers"][0]["id"], MAILED, "{flow}");
        self.fill(&flow, MAILED, json!({"user_name": name})).await
    }

    /// The mail about a forgotten password, and the flow that asked for it.
    pub(crate) async fn reset(&self, person: &Person) -> (Value, Message) {
        let asked = self.forget(&person.tenant_name, &person.name).await;
        let flow = asked.expect(200).json();
        (flow, self.newest(person, "reset").await)
    }
}

pub(crate) fn link_of(mail: &Message) -> &Link {
    mail.link.as_ref().unwrap()
}

/// What a person types who reads it.
pub(crate) fn code_of(mail: &Message) -> Value {
    json!({"code": mail.code.as_ref().unwrap().expose()})
}
