//! `[backup]`: what is refused, and what follows from what.

use super::{Folder, load_environment};

const ONE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn refusal(text: &str) -> String {
    Folder::with_config(text).refusal()
}

#[test]
fn a_schedule_without_recipients_is_refused_with_how_to_get_one() {
    assert_eq!(
        refusal("[backup]\nevery_hours = 24"),
        "file gatelodge.toml, line 2: `backup.every_hours` is set, and `backup.recipients` names nobody to encrypt the \
         backups for; `gatelodge backup key --output FILE` makes a key and prints the recipient to put there"
    );
    let text = format!("[backup]\nevery_hours = 24\nrecipients = [\"{ONE}\"]");
    let config = Folder::with_config(&text).load().unwrap().config;
    assert_eq!(config.backup.every_hours, Some(24));
    assert_eq!(config.backup.recipients[0].to_string(), ONE);
}

#[test]
fn a_recipient_that_is_none_is_named_by_its_place_in_the_list() {
    let form = "must be a recipient of age, `age1…`, as `gatelodge backup key` prints it";
    for wrong in ["hunter2", "age1", &ONE.replace("ql3z", "ql3y")] {
        assert_eq!(
            refusal(&format!(
                "[backup]\nrecipients = [\n \"{ONE}\",\n \"{wrong}\"\n]"
            )),
            format!("file gatelodge.toml, line 4: `backup.recipients.1` {form}"),
        );
    }
}

#[test]
fn a_secret_in_the_place_of_a_recipient_is_told_and_not_repeated() {
    let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let refusal = refusal(&format!("[backup]\nrecipients = [\"{secret}\"]"));
    assert!(
        refusal.contains("not an identity, which is secret"),
        "{refusal}"
    );
    assert!(!refusal.contains("GFPYY"), "{refusal}");
}

#[test]
fn numbers_have_their_ranges() {
    for (text, expected) in [
        (
            "every_hours = 0",
            "`backup.every_hours` must be a whole number from 1 to 744, but is 0",
        ),
        (
            "every_hours = 745",
            "`backup.every_hours` must be a whole number from 1 to 744, but is 745",
        ),
        (
            "keep = 0",
            "`backup.keep` must be a whole number from 1 to 1000, but is 0",
        ),
        (
            "keep = 1001",
            "`backup.keep` must be a whole number from 1 to 1000, but is 1001",
        ),
    ] {
        let refusal = refusal(&format!("[backup]\n{text}"));
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn the_folder_is_that_of_the_data_unless_one_is_named() {
    let folder = Folder::with_config("[server]\ndata_dir = \"data\"");
    let config = folder.load().unwrap().config;
    assert_eq!(config.backup_folder(), folder.path("data/backups"));
    let folder = Folder::with_config("[backup]\nfolder = \"elsewhere\"");
    let config = folder.load().unwrap().config;
    assert_eq!(config.backup_folder(), folder.path("elsewhere"));
}

#[test]
fn recipients_in_the_environment_are_divided_by_commas() {
    let both = format!("{ONE},{ONE}");
    let loaded = load_environment(&[("GATELODGE_BACKUP__RECIPIENTS", &both)]).unwrap();
    assert_eq!(loaded.config.backup.recipients.len(), 2);
}
