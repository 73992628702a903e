//! Backups that fit their own digest and are wrong all the same.

use gatelodge_core::{archive::What, archive::parse_backup};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    backup::{assert_refused, backup, lines, text},
    installation::Installation,
};

/// A backup whose lines can be changed.
struct Forged(Vec<Value>);

impl Forged {
    async fn of(source: &Installation, what: What) -> Self {
        let all = lines(&backup(source, what).await);
        let values = all.iter().map(|line| serde_json::from_slice(line).unwrap());
        Self(values.collect())
    }

    /// The place of the first row of a kind.
    fn first(&self, kind: &str) -> usize {
        let is_kind = |line: &Value| line["row"] == kind;
        self.0.iter().position(is_kind).unwrap()
    }

    /// With a trailer that fits.
    fn sealed(mut self) -> Vec<u8> {
        let mut trailer = self.0.pop().unwrap();
        let lines = self.0.iter().map(|line| line.to_string().into_bytes());
        let mut text = text(&lines.collect::<Vec<_>>());
        let mut rows = serde_json::Map::new();
        for line in &self.0 {
            if let Some(kind) = line["row"].as_str() {
                let count = rows.get(kind).and_then(Value::as_u64).unwrap_or(0);
                rows.insert(kind.to_owned(), json!(count + 1));
            }
        }
        trailer["rows"] = Value::Object(rows);
        let digest = Sha256::digest(&text);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        trailer["sha256"] = json!(digest);
        text.extend(format!("{trailer}\n").into_bytes());
        text
    }
}

/// Changes a backup, seals it, and sees it refused.
async fn refused(source: &Installation, what: What, change: impl FnOnce(&mut Forged)) -> String {
    let mut forged = Forged::of(source, what).await;
    change(&mut forged);
    assert_refused(&forged.sealed(), "a forged backup")
}

#[tokio::test]
async fn a_digest_that_fits_again_is_no_obstacle_for_the_tests() {
    let source = Installation::new().await;
    for what in [What::Whole, What::Tenant(source.acme.id)] {
        let forged = Forged::of(&source, what).await;
        parse_backup(&forged.sealed()).unwrap();
    }
}

#[tokio::test]
async fn what_this_program_does_not_know_is_refused() {
    let source = Installation::new().await;
    for kind in [
        "value", "tenant", "settings", "user", "grant", "record", "session", "event",
    ] {
        let message = refused(&source, What::Whole, |backup| {
            let place = backup.first(kind);
            backup.0[place]["unheard_of"] = json!(1);
        })
        .await;
        assert!(message.starts_with("line "), "{kind}: {message}");
    }
    let places: [fn(&mut Forged) -> &mut Value; 4] = [
        |backup| &mut backup.0[0],
        |backup| &mut backup.0[1],
        |backup| {
            let place = backup.first("session");
            &mut backup.0[place]["client"]
        },
        |backup| backup.0.last_mut().unwrap(),
    ];
    for place in places {
        refused(&source, What::Whole, |backup| {
            place(backup)["more"] = json!(null)
        })
        .await;
    }
    refused(&source, What::Whole, |backup| {
        let place = backup.first("grant");
        backup.0[place]["grant"] = json!("owner_of_everything");
    })
    .await;
    refused(&source, What::Whole, |backup| {
        backup.0.insert(2, json!({"row": "role", "id": 1}));
    })
    .await;
}

#[tokio::test]
async fn rows_that_no_backup_holds_are_refused() {
    let source = Installation::new().await;
    let flow = json!({
        "row": "flow",
        "handle": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "version": 1,
        "expires_at": "2026-11-02T03:04:05.678Z",
        "sealed": "",
    });
    for marker in ["copy", "restore"] {
        refused(&source, What::Whole, |backup| {
            let last = backup
                .0
                .iter()
                .rposition(|line| line["row"] == "value")
                .unwrap();
            let mut row = backup.0[last].clone();
            row["name"] = json!(marker);
            let after = backup.0.iter().position(|line| {
                line["row"] != "value" && line["row"].is_string()
                    || line["name"].as_str().is_some_and(|name| name > marker)
            });
            backup.0.insert(after.unwrap(), row);
        })
        .await;
    }
    let message = refused(&source, What::Whole, |backup| {
        let place = backup
            .0
            .iter()
            .rposition(|line| line["row"] == "tenant")
            .unwrap();
        backup.0.insert(place + 1, flow);
    })
    .await;
    assert!(message.contains("out of place"), "{message}");
}

#[tokio::test]
async fn rows_of_another_tenant_are_refused() {
    let source = Installation::new().await;
    let other = json!(source.other.id);
    for kind in ["session", "event"] {
        for what in [What::Whole, What::Tenant(source.acme.id)] {
            let message = refused(&source, what, |backup| {
                let of_tenant = |line: &Value| line["row"] == kind && line["tenant"].is_string();
                let place = backup.0.iter().position(of_tenant).unwrap();
                backup.0[place]["tenant"] = if backup.0[place]["tenant"] == other {
                    json!(source.acme.id)
                } else {
                    other.clone()
                };
            })
            .await;
            assert!(message.contains("out of place"), "{message}");
        }
    }
    refused(&source, What::Tenant(source.acme.id), |backup| {
        let scope = backup.0.iter().rposition(|line| line["scope"].is_object());
        backup.0[scope.unwrap()]["scope"] = json!({ "tenant": other });
    })
    .await;
    refused(&source, What::Tenant(source.acme.id), |backup| {
        let value = json!({"row": "value", "name": "set_up", "value": "", "version": 1});
        backup.0.insert(2, value);
    })
    .await;
    refused(&source, What::Tenant(source.acme.id), |backup| {
        let place = backup.first("tenant");
        backup.0[place]["id"] = other.clone();
    })
    .await;
}

#[tokio::test]
async fn what_refers_to_nothing_is_refused() {
    let source = Installation::new().await;
    let nobody = json!(source.gone.id);
    for kind in ["grant", "record"] {
        refused(&source, What::Whole, |backup| {
            let with_user = |line: &Value| line["row"] == kind && line["user"].is_string();
            let place = backup.0.iter().position(with_user).unwrap();
            backup.0[place]["user"] = nobody.clone();
        })
        .await;
    }
    refused(&source, What::Whole, |backup| {
        let below = |line: &Value| line["row"] == "tenant" && line["master"].is_string();
        let place = backup.0.iter().position(below).unwrap();
        backup.0[place]["master"] = nobody.clone();
    })
    .await;
    // What is below comes before its master.
    refused(&source, What::Whole, |backup| {
        let below = |line: &Value| line["row"] == "tenant" && line["master"].is_string();
        let place = backup.0.iter().position(below).unwrap();
        let first = backup.first("tenant");
        let row = backup.0.remove(place);
        backup.0.insert(first, row);
    })
    .await;
    // The rows of a tenant that is deleted are sessions and events.
    refused(&source, What::Whole, |backup| {
        let of_other = |line: &Value| line["id"] == json!(source.other.id);
        backup.0.retain(|line| !of_other(line));
    })
    .await;
}

#[tokio::test]
async fn data_keys_are_those_of_the_first_line() {
    let source = Installation::new().await;
    let is_ring = |line: &Value| line["name"] == "data_keys";
    refused(&source, What::Whole, |backup| {
        backup.0.retain(|line| !is_ring(line))
    })
    .await;
    let stranger = Installation::seeded(2).await;
    let stranger = Forged::of(&stranger, What::Whole).await;
    let ring = stranger.0.iter().find(|line| is_ring(line)).unwrap();
    refused(&source, What::Whole, |backup| {
        let place = backup.0.iter().position(is_ring).unwrap();
        backup.0[place] = ring.clone();
    })
    .await;
    refused(&source, What::Whole, |backup| {
        backup.0[0] = stranger.0[0].clone()
    })
    .await;
    refused(&source, What::Whole, |backup| {
        backup.0[0]["keys"] = json!([])
    })
    .await;
    refused(&source, What::Whole, |backup| {
        backup.0[0]["installation"] = json!("somebody else");
    })
    .await;
}

#[tokio::test]
async fn rows_and_scopes_keep_their_order() {
    let source = Installation::new().await;
    for kind in ["value", "user", "grant", "record", "session", "event"] {
        refused(&source, What::Whole, |backup| {
            let first = backup.first(kind);
            backup.0.swap(first, first + 1);
        })
        .await;
    }
    // A kind again after another one.
    refused(&source, What::Whole, |backup| {
        let settings = backup.first("settings");
        let row = backup.0.remove(settings);
        let grant = backup.first("grant");
        backup.0.insert(grant, row);
    })
    .await;
    // A scope without rows, and one twice.
    for scope in [
        json!({"scope": "platform"}),
        json!({"scope": {"tenant": source.gone.id}}),
    ] {
        refused(&source, What::Whole, |backup| {
            let end = backup.0.len() - 1;
            backup.0.insert(end, scope.clone());
            backup.0.insert(end, scope);
        })
        .await;
    }
}
