//! Browsers that signed in before: a sealed note in a cookie gives them a lane
//! of their own in the limits. It proves nothing else and signs nobody in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    Platform, Result,
    model::{TenantId, UserId},
    seal::SealContext,
    secret::Secret,
};

const CONTEXT: SealContext<'static> = SealContext {
    purpose: "known device",
    place: &[],
};
/// Accounts remembered in one browser.
const ACCOUNTS: usize = 8;

#[derive(Serialize, Deserialize)]
struct Note {
    lane: [u8; 16],
    accounts: Vec<(TenantId, UserId)>,
}

/// Learns the key that another server may have sealed the note under. A note
/// that cannot be read is none.
pub(crate) async fn learn_key(platform: &Platform, device: Option<&Secret>) {
    if let Some(sealed) = device.and_then(sealed) {
        let learned = platform.keys().learn(platform.storage(), &sealed).await;
        if let Err(error) = learned {
            tracing::debug!(?error, "a browser's note is not read");
        }
    }
}

/// The browser's lane for an account, if it signed in to it before.
pub(crate) fn lane(
    platform: &Platform,
    device: Option<&Secret>,
    tenant: TenantId,
    user: UserId,
) -> Option<[u8; 16]> {
    let note = open(platform, device?)?;
    note.accounts.contains(&(tenant, user)).then_some(note.lane)
}

/// The note after a sign-in.
pub(crate) fn note(
    platform: &Platform,
    device: Option<&Secret>,
    tenant: TenantId,
    user: UserId,
) -> Result<Secret> {
    let mut note = device
        .and_then(|device| open(platform, device))
        .unwrap_or_else(|| Note {
            lane: platform.environment().bytes(),
            accounts: Vec::new(),
        });
    note.accounts.retain(|account| *account != (tenant, user));
    note.accounts.insert(0, (tenant, user));
    note.accounts.truncate(ACCOUNTS);
    let plain =
        serde_json::to_vec(&note).map_err(|e| crate::Error::internal("device").because(e))?;
    let sealed = platform.keys().seal(&CONTEXT, &plain)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(sealed)))
}

fn open(platform: &Platform, device: &Secret) -> Option<Note> {
    let sealed = sealed(device)?;
    let plain = platform.keys().open_sealed(&CONTEXT, &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn sealed(device: &Secret) -> Option<Vec<u8>> {
    if device.len() > 2_048 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(device.expose()).ok()
}
