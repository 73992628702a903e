//! `gatelodge backup …`

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use serde_json::{Value, json};

use crate::installation::Installation;

const FOLDER: &str = "gatelodge-data/backups";

/// The text of a backup that is not encrypted.
fn text(path: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A new key in `key.txt`; answers its recipient.
fn key(installation: &Installation) -> String {
    let made = installation.json("backup key --output key.txt");
    made["recipient"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_is_made_a_backup_with_it_listed_and_verified() {
    let installation = Installation::with_ada();
    let words = installation.line("backup list").done();
    assert!(
        words.starts_with("There are no backups in `gatelodge-data/backups` yet"),
        "{words}"
    );
    assert_eq!(installation.json("backup list"), json!({ "items": [] }));

    let recipient = key(&installation);
    let mode = fs::metadata(installation.path("key.txt")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let line = format!("backup create --recipient {recipient}");
    let made = installation.json(&line);
    assert_eq!(made["encrypted"], true);
    assert_eq!(made["tenant"], json!(null));
    assert_eq!(made["rows"]["user"], 1);
    let file = made["file"].as_str().unwrap().to_owned();
    let metadata = fs::metadata(installation.path(&file)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(made["bytes"], metadata.len());

    let words = installation.line(&format!("{line} --tenant ACME")).done();
    assert!(
        words.starts_with("Made a backup of tenant `acme` ("),
        "{words}"
    );
    assert!(words.ends_with(", encrypted.\n"), "{words}");
    let listed = installation.json("backup list");
    let listed = listed["items"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|one| one["tenant"].is_string()));
    let whole = listed.iter().find(|one| one["tenant"].is_null()).unwrap();
    assert!(file.ends_with(whole["name"].as_str().unwrap()));
    let table = installation.line("backup list").done();
    assert!(
        table.starts_with("NAME ") && table.contains(" everything\n"),
        "{table}"
    );

    let mut verified = installation.json(&format!("backup verify {file} --identity key.txt"));
    let verified = verified.as_object_mut().unwrap();
    for (name, value) in verified.iter() {
        assert_eq!(&made[name], value, "{name}");
    }
    let words = installation
        .line(&format!("backup verify {file} --identity key.txt"))
        .done();
    assert!(words.contains("user rows        1\n"), "{words}");
}

#[test]
fn without_a_recipient_a_backup_is_refused_with_the_three_ways_out() {
    let installation = Installation::with_ada();
    let message = installation.line("backup create").refused(2);
    for way in [
        "`backup.recipients`",
        "`--recipient age1…`",
        "`--unencrypted`",
    ] {
        assert!(message.contains(way), "{message}");
    }
    let problem = installation.line("backup create --json").problem(2);
    assert_eq!(problem["code"], "usage");
    assert!(!installation.path(FOLDER).exists());

    let recipient = key(&installation);
    let both = format!("backup create --unencrypted --recipient {recipient}");
    assert_eq!(installation.line(&both).code, 2);
    let secret = fs::read_to_string(installation.path("key.txt")).unwrap();
    let secret = secret.lines().last().unwrap();
    let answer = installation.line(&format!("backup create --recipient {secret}"));
    assert_eq!(answer.code, 2);
    assert!(
        answer.errors.contains("not an identity, which is secret"),
        "{answer:?}"
    );

    // Configured, nothing has to be said.
    let made = installation
        .command(&["backup", "create", "--json"])
        .env("GATELODGE_BACKUP__RECIPIENTS", recipient)
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["encrypted"], true);
    let words = installation.line("backup create --unencrypted").done();
    assert!(words.ends_with(", not encrypted.\n"), "{words}");
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let installation = Installation::with_ada();
    fs::write(installation.path("x"), "precious").unwrap();
    for line in [
        "backup create --unencrypted --output x",
        "backup key --output x",
    ] {
        let message = installation.line(line).refused(1);
        assert!(message.starts_with("`x` is there already"), "{message}");
    }
    let content = fs::read_to_string(installation.path("x")).unwrap();
    assert_eq!(content, "precious");
    let message = installation
        .line("backup create --unencrypted --output none/x")
        .refused(1);
    assert!(
        message.starts_with("`none/x.part` cannot be made: "),
        "{message}"
    );
    let message = installation
        .line("backup create --unencrypted --tenant nobody")
        .refused(1);
    assert!(
        message.starts_with("there is no tenant `nobody`"),
        "{message}"
    );
    assert!(!installation.path(FOLDER).exists());
}

#[test]
fn what_is_no_usable_backup_is_refused_with_its_name() {
    let installation = Installation::with_ada();
    let recipient = key(&installation);
    let create = format!("backup create --output x --recipient {recipient}");
    installation.line(&create).done();
    let whole = fs::read(installation.path("x")).unwrap();
    fs::write(installation.path("cut"), &whole[..whole.len() - 1]).unwrap();
    let mut changed = whole;
    *changed.last_mut().unwrap() ^= 1;
    fs::write(installation.path("changed"), changed).unwrap();
    fs::write(installation.path("empty"), "").unwrap();
    fs::write(installation.path("text"), "hello\n").unwrap();
    fs::create_dir(installation.path("folder")).unwrap();
    installation.line("backup key --output other.txt").done();
    for (arguments, expected) in [
        ("x", "`x` is encrypted; name the file of an age identity"),
        (
            "x --identity other.txt",
            "`x` is encrypted for somebody else",
        ),
        ("x --identity none.txt", "`none.txt` cannot be read: "),
        ("x --identity text", "`text` is no file of age identities"),
        ("cut --identity key.txt", "`cut` was changed or damaged"),
        (
            "changed --identity key.txt",
            "`changed` was changed or damaged",
        ),
        ("empty", "`empty` is empty"),
        ("text", "`text` is no backup of Gatelodge"),
        ("folder", "`folder` is a folder, and no backup"),
        ("none", "`none` cannot be read: "),
        (
            "gatelodge-data/gatelodge.db",
            "`gatelodge-data/gatelodge.db` is no backup",
        ),
    ] {
        for command in ["backup verify", "restore"] {
            let message = installation
                .line(&format!("{command} {arguments}"))
                .refused(1);
            assert!(message.starts_with(expected), "{command}: {message}");
        }
        let json = format!("backup verify {arguments} --json");
        let problem = installation.line(&json).problem(1);
        assert!(problem["message"].as_str().unwrap().starts_with(expected));
    }
    let file = fs::File::create(installation.path("other.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    gzip.write_all(b"hello\n").unwrap();
    gzip.finish().unwrap();
    let message = installation.line("backup verify other.gz").refused(1);
    assert_eq!(
        message,
        "`other.gz` is no backup that can be used: line 1 of the backup is not the beginning of a backup of Gatelodge"
    );
}

#[test]
fn a_key_that_others_can_read_is_warned_about() {
    let installation = Installation::with_ada();
    let recipient = key(&installation);
    let create = format!("backup create --output x --recipient {recipient}");
    installation.line(&create).done();
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(installation.path("key.txt"), mode).unwrap();
    let answer = installation.line("backup verify x --identity key.txt");
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer
            .errors
            .starts_with("warning: `key.txt` can be read by other"),
        "{answer:?}"
    );
}

/// The program of Debian and what everybody has open what we write, and we what they do.
#[test]
fn the_program_age_opens_a_backup_and_makes_one() {
    let installation = Installation::with_ada();
    let recipient = key(&installation);
    let create = format!("backup create --output ours --recipient {recipient}");
    installation.line(&create).done();
    let shell = |line: &str| {
        let done = Command::new("sh")
            .args(["-ec", line])
            .current_dir(installation.path(""))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}: is `age` installed?");
        String::from_utf8(done.stdout).unwrap()
    };
    let text = shell("age -d -i key.txt ours | gunzip");
    assert!(text.starts_with("{\"gatelodge_backup\":1,"), "{text}");
    assert!(text.contains("\"user_name\":\"ada\""), "{text}");

    shell(&format!(
        "age -d -i key.txt ours | gunzip | gzip -9 | age -r {recipient} -o theirs"
    ));
    let ours = installation.json("backup verify ours --identity key.txt");
    let theirs = installation.json("backup verify theirs --identity key.txt");
    assert_eq!(ours["sha256"], theirs["sha256"]);
    assert_eq!(shell("age-keygen -y key.txt").trim(), recipient);
}

#[test]
fn a_backup_is_recorded_in_the_audit_log_of_the_platform() {
    let installation = Installation::with_ada();
    installation
        .line("backup create --unencrypted --output first")
        .done();
    installation
        .line("backup create --unencrypted --output second")
        .done();
    let rows = text(&installation.path("second"));
    let rows = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events: Vec<_> = rows
        .filter(|row| row["action"] == "backup.create")
        .collect();
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(event["actor"]["kind"], "operator");
    assert_eq!(event["tenant"], json!(null));
    let change = |name: &str| {
        let changes = event["changes"].as_array().unwrap();
        changes
            .iter()
            .find(|change| change["field"] == name)
            .unwrap()["new"]
            .clone()
    };
    assert_eq!(change("file"), "first");
    assert_eq!(change("user"), "1");
}

/// R18: what is written while a backup is made is in it whole or not at all.
#[test]
fn a_backup_under_load_holds_one_state() {
    let installation = Installation::with_tenants(&["acme"]);
    let server = installation.server();
    let (is_over, made) = (AtomicBool::new(false), AtomicU32::new(0));
    let files: Vec<PathBuf> = std::thread::scope(|scope| {
        for writer in 0..2 {
            let (installation, is_over, made) = (&installation, &is_over, &made);
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    let number = made.fetch_add(1, Ordering::SeqCst);
                    let line = format!("user create -t acme --user-name u{writer}-{number}");
                    installation.line(&line).done();
                }
            });
        }
        let files = (0..10).map(|number| {
            let name = format!("backup-{number}");
            let line = format!("backup create --unencrypted --output {name}");
            installation.line(&line).done();
            installation.path(&name)
        });
        let files = files.collect();
        is_over.store(true, Ordering::SeqCst);
        files
    });
    drop(server);
    let mut before = 0;
    for file in &files {
        let users = check_consistent(&text(file));
        assert!(users >= before);
        before = users;
    }
    assert!(before > 0, "nothing was written meanwhile");

    // The last one is restored, and has as many.
    let other = Installation::empty();
    fs::create_dir(other.path("gatelodge-data")).unwrap();
    let master = "gatelodge-data/master.key";
    fs::copy(installation.path(master), other.path(master)).unwrap();
    let last = files.last().unwrap().to_str().unwrap();
    let restored = other.json(&format!("restore {last}"));
    assert_eq!(restored["rows"]["user"], before);
    let listed = other.json("user list -t acme");
    assert_eq!(listed["items"].as_array().unwrap().len(), before);
}

/// Each user has a record and an event; answers how many there are.
fn check_consistent(text: &str) -> usize {
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids = |kind: &str, member: &str| -> BTreeSet<String> {
        let rows = rows.iter().filter(|row| row["row"] == kind);
        let rows = rows.filter(|row| kind != "event" || row["action"] == "user.create");
        rows.filter_map(|row| row[member].as_str().map(str::to_owned))
            .collect()
    };
    let users = ids("user", "id");
    assert_eq!(users, ids("record", "user"));
    assert_eq!(users, ids("event", "object_id"));
    users.len()
}

#[test]
fn an_interrupted_backup_leaves_no_file() {
    let installation = Installation::with_ada();
    for milliseconds in [0, 5, 10, 20, 30, 40, 60, 80] {
        let mut child = installation
            .command(&["backup", "create", "--unencrypted", "--output", "folder/x"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        fs::create_dir_all(installation.path("folder")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let pid = child.as_ref().unwrap().id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().unwrap();
        child.as_mut().unwrap().wait().unwrap();
        let left = names(&installation.path("folder"));
        // Either it was faster, or nothing is left.
        assert!(left.is_empty() || left == ["x"], "{left:?}");
        if left == ["x"] {
            installation.line("backup verify folder/x").done();
        }
        fs::remove_dir_all(installation.path("folder")).unwrap();
    }
}

#[test]
fn a_server_makes_backups_by_itself_when_it_is_told_to() {
    let installation = Installation::with_ada();
    let recipient = key(&installation);
    let mut server = installation
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .env("GATELODGE_BACKUP__RECIPIENTS", &recipient)
        .env("GATELODGE_BACKUP__EVERY_HOURS", "1")
        .env("GATELODGE_LOG__FILTER", "error")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let made = loop {
        let names = names(&installation.path(FOLDER));
        if let Some(name) = names.iter().find(|name| name.ends_with(".age")) {
            break name.clone();
        }
        assert!(
            std::time::Instant::now() < end,
            "no backup was made: {names:?}"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let line = format!("backup verify {FOLDER}/{made} --identity key.txt");
    assert_eq!(installation.json(&line)["rows"]["user"], 1);
    server.kill().unwrap();
    server.wait().unwrap();
    let wrong = installation
        .command(&["config", "check"])
        .env("GATELODGE_BACKUP__EVERY_HOURS", "1")
        .output()
        .unwrap();
    let errors = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        errors.contains("`backup.every_hours` is set, and"),
        "{errors}"
    );
}
