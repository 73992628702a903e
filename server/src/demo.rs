//! `serve --demo`: sample data in a folder that is thrown away, with a random
//! password that is told once.

use std::path::Path;

use gatelodge_core::{
    Platform,
    access::Caller,
    model::{
        DisplayName, Email, Grant, RegistrationSettings, TenantName, TenantSettings, UserName,
    },
    secret::Secret,
    service::{InitialCredential, NewTenant, NewUser},
};
use tempfile::TempDir;

use crate::app::StartError;

/// Who can sign in to the sample data.
#[derive(Debug)]
pub(crate) struct Demo {
    tenant: &'static str,
    user: &'static str,
    password: Secret,
}

const TENANT: &str = "lodge";
const USER: &str = "ada";

/// The folder that holds the sample data; it is removed at the end.
pub(crate) fn folder() -> Result<TempDir, StartError> {
    tempfile::Builder::new()
        .prefix("gatelodge-demo-")
        .tempdir()
        .map_err(StartError::io(
            "the folder for the sample data cannot be made",
        ))
}

/// Makes the sample data.
pub(crate) async fn fill(platform: &Platform) -> Result<Demo, StartError> {
    let operator = Caller::operator();
    platform.set_up().skip().await?;
    let lodge = tenant(platform, TENANT, "The Lodge").await?;
    let password = password(platform);
    let ada = user(platform, lodge, USER, "Ada Gatekeeper", Some(&password)).await?;
    for grant in Grant::ALL {
        platform
            .users()
            .set_grant(&operator, (lodge, ada), grant, true)
            .await?;
    }
    for (name, display_name) in [
        ("grace", "Grace Porter"),
        ("linus", "Linus Warden"),
        ("margaret", "Margaret Keyes"),
    ] {
        user(platform, lodge, name, display_name, None).await?;
    }
    let harbour = tenant(platform, "harbour", "Harbour Works").await?;
    // The same user name in two tenants is two people.
    user(platform, harbour, USER, "Ada Pilot", None).await?;
    let open = TenantSettings {
        registration: RegistrationSettings {
            enabled: Some(true),
            ..RegistrationSettings::default()
        },
        ..TenantSettings::default()
    };
    platform
        .tenants()
        .put_settings(&operator, harbour, None, open)
        .await?;
    Ok(Demo {
        tenant: TENANT,
        user: USER,
        password,
    })
}

async fn tenant(
    platform: &Platform,
    name: &str,
    display_name: &str,
) -> Result<gatelodge_core::model::TenantId, StartError> {
    let new = NewTenant {
        name: TenantName::new(name)?,
        display_name: Some(DisplayName::new(display_name)?),
    };
    Ok(platform
        .tenants()
        .create(&Caller::operator(), new)
        .await?
        .id)
}

async fn user(
    platform: &Platform,
    tenant: gatelodge_core::model::TenantId,
    name: &str,
    display_name: &str,
    password: Option<&Secret>,
) -> Result<gatelodge_core::model::UserId, StartError> {
    let new = NewUser {
        user_name: UserName::new(name)?,
        display_name: Some(DisplayName::new(display_name)?),
        email: Some(Email::new(&format!("{name}@example.com"))?),
        credential: password.map_or(InitialCredential::None, |password| {
            InitialCredential::Given {
                password: password.clone(),
                must_change: false,
            }
        }),
    };
    let users = platform.users();
    let (user, _) = users.create(&Caller::operator(), tenant, new).await?;
    Ok(user.id)
}

/// Twenty letters and digits that are easily typed: about 99 bits.
fn password(platform: &Platform) -> Secret {
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut text = String::new();
    while text.len() < 23 {
        if text.len() % 6 == 5 {
            text.push('-');
        }
        let [byte] = platform.environment().bytes::<1>();
        // Bytes beyond a multiple of the alphabet's length would favour its start.
        if byte < 248
            && let Some(letter) = LETTERS.get(usize::from(byte) % LETTERS.len())
        {
            text.push(char::from(*letter));
        }
    }
    Secret::new(text)
}

impl Demo {
    /// Where to go and who to be, and where the mails lie.
    pub(crate) fn announcement(&self, base: &str, mails: Option<&Path>) -> String {
        let mails = mails.map(|folder| format!("    mails     {}\n", folder.display()));
        format!(
            "\n  Gatelodge demo, with sample data that goes when it stops\n\n\
             \x20   address   {base}/t/{}/sign-in\n\
             \x20   user      {}\n\
             \x20   password  {}\n{}\n",
            self.tenant,
            self.user,
            self.password.expose(),
            mails.unwrap_or_default()
        )
    }
}
