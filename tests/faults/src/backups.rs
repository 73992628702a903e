//! R18: backups are made while everybody works. Each, restored elsewhere, holds whatever was acknowledged before it
//! began, and nothing by half.

use std::fs;

use gatelodge_e2e::place::Place;

use crate::{
    journal::Entry,
    oracle,
    report::Outcome,
    site::{Kind, Site},
    work::After,
};

/// Makes and restores so many.
pub async fn run(kind: Kind, times: usize) -> Outcome {
    let mut outcome = Outcome::of(match kind {
        Kind::Sqlite => "backup-sqlite",
        Kind::Postgres => "backup-postgres",
    });
    let site = Site::on(kind.storage()).await;
    let key = in_place(&site, "backup.key");
    let make = ["--json", "backup", "key", "--output", &key];
    let made = site.place.run(&make).await.json();
    let recipient = made["recipient"].as_str().unwrap();
    let master_key = fs::read_to_string(site.place.master_key_file()).unwrap();
    let work = site.work(After::Leave);
    for number in 0..times {
        work.goes_on(20).await;
        let before = users(&site);
        let file = in_place(&site, &format!("{number}.backup.age"));
        let create = [
            "backup",
            "create",
            "--recipient",
            recipient,
            "--output",
            &file,
        ];
        site.place.run(&create).await.succeeded();
        let target = Place::embedded();
        target.put_master_key(master_key.trim());
        let restore = ["restore", &file, "--identity", &key];
        target.run(&restore).await.succeeded();
        outcome
            .violations
            .extend(oracle::of_storage(&target, &before).await);
        fs::remove_file(&file).unwrap();
        outcome.faults += 1;
    }
    let told = work.finish().await;
    outcome.acknowledged = told.acknowledged;
    outcome.add_answers(&told.answers, &[Some(200), Some(201), Some(204)]);
    let found = site.violations(usize::MAX).await;
    outcome.violations.extend(found);
    outcome
}

/// The users in the journal: sessions are not restored, and what is in a backup of them is another matter.
fn users(site: &Site) -> Vec<Entry> {
    let mut entries = site.journal.read();
    entries.retain(|entry| matches!(entry, Entry::User(..)));
    entries
}

fn in_place(site: &Site, name: &str) -> String {
    site.place.root().join(name).display().to_string()
}
