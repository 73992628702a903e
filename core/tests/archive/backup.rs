//! Backups as they are written and read.

use gatelodge_core::{
    ErrorKind, Result,
    archive::{
        BackupBytes, BackupFile, Contents, CopyOptions, MAX_LINE, What, copy, parse_backup,
        read_backup, write_backup,
    },
    model::TenantId,
    storage::{RowKind, Scope, Storage},
};
use gatelodge_storage_suite::memory::MemoryStorage;

use super::{
    copy::options,
    installation::{Installation, dump, rotate},
    quiet,
};
use crate::support::kind;

pub(super) async fn backup(source: &Installation, what: What) -> Vec<u8> {
    let mut text = Vec::new();
    write(&source.storage, source, what, &mut text)
        .await
        .unwrap();
    text
}

async fn write(
    storage: &dyn Storage,
    source: &Installation,
    what: What,
    text: &mut Vec<u8>,
) -> Result<Contents> {
    let now = source.make.now();
    write_backup(storage, what, now, text, &mut quiet()).await
}

/// Its lines, without their ends.
pub(super) fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<_> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    assert_eq!(lines.pop(), Some(Vec::new()), "every line is ended");
    lines
}

pub(super) fn text(lines: &[Vec<u8>]) -> Vec<u8> {
    let ended = lines.iter().map(|line| [line, b"\n".as_slice()].concat());
    ended.collect::<Vec<_>>().concat()
}

/// Refused, in words that name the backup or a line of it.
pub(super) fn assert_refused(backup: &[u8], what: &str) -> String {
    let error = match parse_backup(backup) {
        Ok(_) => panic!("{what} is not refused"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), ErrorKind::Refused, "{what}");
    let message = error.to_string();
    assert!(message.contains("backup"), "{what}: {message}");
    message
}

#[tokio::test]
async fn a_backup_is_read_as_it_was_written() {
    let source = Installation::new().await;
    let dump = dump(&source.storage).await;
    let text = backup(&source, What::Whole).await;
    let contents = parse_backup(&text).unwrap();
    assert_eq!(contents, read_backup(&text).await.unwrap());
    assert_eq!(contents.header.made_at, source.make.now());
    assert_eq!(contents.header.tenant, None);
    for kind in RowKind::PLATFORM.into_iter().chain(RowKind::TENANT) {
        let of_kind = dump.iter().filter(|(_, of, _)| *of == kind);
        let rows = of_kind.map(|(_, _, rows)| rows.len() as u64).sum();
        let expected = match kind {
            RowKind::Flow | RowKind::Limit | RowKind::Message => None,
            _ => Some(&rows),
        };
        assert_eq!(contents.rows.get(&kind), expected, "{kind:?}");
    }
    let again = backup(&source, What::Whole).await;
    assert!(text == again, "a backup of one state is always the same");
}

#[tokio::test]
async fn a_backup_of_a_tenant_holds_only_that_one() {
    let source = Installation::new().await;
    let text = backup(&source, What::Tenant(source.bottom.id)).await;
    let contents = parse_backup(&text).unwrap();
    let tenant = contents.header.tenant.unwrap();
    assert_eq!(
        (tenant.id, tenant.name),
        (source.bottom.id, source.bottom.name)
    );
    let rows = [
        (RowKind::Tenant, 1),
        (RowKind::Settings, 1),
        (RowKind::Application, 3),
        (RowKind::User, 8),
        (RowKind::Grant, 9),
        (RowKind::Record, 17),
        (RowKind::Session, 16),
        (RowKind::Event, 8),
    ];
    assert_eq!(contents.rows.into_iter().collect::<Vec<_>>(), rows);
    let readable = String::from_utf8(text).unwrap();
    assert!(!readable.contains(&source.acme.id.to_string()));
    // Its master is named, and nothing else of it.
    assert_eq!(readable.matches(&source.middle.id.to_string()).count(), 1);
}

#[tokio::test]
async fn there_is_no_backup_of_what_is_not_there_or_not_whole() {
    let source = Installation::new().await;
    let mut text = Vec::new();
    for id in [
        source.gone.id,
        TenantId::generate(source.make.environment()),
    ] {
        let result = write(&source.storage, &source, What::Tenant(id), &mut text).await;
        assert_eq!(kind(result), ErrorKind::NotFound);
    }
    let empty = MemoryStorage::new();
    let result = write(&empty, &source, What::Whole, &mut text).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "there is nothing to back up"
    );
    let more = CopyOptions {
        more_to_come: true,
        ..options(200)
    };
    copy(&source.storage, &empty, &more, &mut quiet())
        .await
        .unwrap();
    let result = write(&empty, &source, What::Whole, &mut text).await;
    assert_eq!(kind(result), ErrorKind::Refused);
    assert!(text.is_empty(), "nothing was written");
}

#[tokio::test]
async fn the_installation_is_known_after_its_keys_were_rotated() {
    let source = Installation::new().await;
    let before = parse_backup(&backup(&source, What::Whole).await).unwrap();
    rotate(&source.storage, &source.make).await;
    let after = parse_backup(&backup(&source, What::Whole).await).unwrap();
    assert_eq!(before.header.installation, after.header.installation);
    assert_eq!((before.header.keys.len(), after.header.keys.len()), (1, 2));
    let other = Installation::seeded(2).await;
    let other = parse_backup(&backup(&other, What::Whole).await).unwrap();
    assert_ne!(before.header.installation, other.header.installation);
}

#[tokio::test]
async fn a_line_that_is_missing_repeated_or_moved_is_noticed() {
    let source = Installation::new().await;
    for what in [What::Whole, What::Tenant(source.bottom.id)] {
        let all = lines(&backup(&source, what).await);
        for number in 0..all.len() {
            let mut changed = all.clone();
            let line = changed.remove(number);
            assert_refused(&text(&changed), &format!("without line {}", number + 1));
            let mut changed = all.clone();
            changed.insert(number, line.clone());
            assert_refused(&text(&changed), &format!("line {} twice", number + 1));
            if number > 0 {
                let mut changed = all.clone();
                changed.swap(number - 1, number);
                assert_refused(&text(&changed), &format!("line {} too early", number + 1));
            }
            let mut changed = all.clone();
            changed.insert(number, Vec::new());
            assert_refused(&text(&changed), &format!("an empty line {}", number + 1));
        }
    }
}

#[tokio::test]
async fn a_byte_that_was_changed_is_noticed() {
    let source = Installation::new().await;
    let whole = backup(&source, What::Tenant(source.bottom.id)).await;
    for (position, byte) in whole.iter().enumerate() {
        // A few of each line are enough, and all of the last.
        if position % 11 != 0 && position + 400 < whole.len() {
            continue;
        }
        let mut changed = whole.clone();
        changed[position] = if byte.is_ascii_digit() {
            b'9' ^ (byte & 1)
        } else {
            byte ^ 1
        };
        assert!(changed != whole, "{byte}");
        assert_refused(&changed, &format!("another byte at {position}"));
    }
}

#[tokio::test]
async fn a_backup_that_is_cut_off_anywhere_is_noticed() {
    let source = Installation::new().await;
    let whole = backup(&source, What::Tenant(source.bottom.id)).await;
    let ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let ends = ends.flat_map(|(end, _)| [end, end + 1]);
    for length in ends.chain((0..whole.len()).step_by(97)) {
        if length < whole.len() {
            let message = assert_refused(&whole[..length], &format!("{length} bytes"));
            assert!(message.contains("is cut off"), "{message}");
        }
    }
    let more = [whole.as_slice(), b"{}\n"].concat();
    let message = assert_refused(&more, "something after the end");
    assert!(message.ends_with("comes after the end"), "{message}");
    assert_refused(&[whole.as_slice(), b" "].concat(), "a byte after the end");
}

#[test]
fn what_is_no_backup_is_refused() {
    for foreign in [
        "",
        "\n",
        "{}\n",
        "[]\n",
        "PK\u{3}\u{4}\n",
        "{\"gatelodge_backup\":0}\n",
        "{\"gatelodge_backup\":\"1\"}\n",
        "{\"gatelodge_backup\":1}\n",
        "{\"row\":\"value\"}\n",
        "{\"end\":true,\"rows\":{},\"sha256\":\"\"}\n",
    ] {
        assert_refused(foreign.as_bytes(), foreign);
    }
    let newer = b"{\"gatelodge_backup\":2,\"what\":\"else\"}\n";
    let message = assert_refused(newer, "a newer format");
    assert!(message.contains("newer version"), "{message}");
}

/// A file that comes in pieces of some bytes.
struct Pieces(Vec<u8>, usize);

#[async_trait::async_trait]
impl BackupFile for Pieces {
    async fn open(&self) -> Result<Box<dyn BackupBytes>> {
        Ok(Box::new(Self(self.0.clone(), self.1)))
    }
}

#[async_trait::async_trait]
impl BackupBytes for Pieces {
    async fn more(&mut self) -> Result<Vec<u8>> {
        let length = self.1.min(self.0.len());
        Ok(self.0.drain(..length).collect())
    }
}

/// A file of one line without end.
struct Endless;

#[async_trait::async_trait]
impl BackupFile for Endless {
    async fn open(&self) -> Result<Box<dyn BackupBytes>> {
        Ok(Box::new(Self))
    }
}

#[async_trait::async_trait]
impl BackupBytes for Endless {
    async fn more(&mut self) -> Result<Vec<u8>> {
        Ok(vec![b' '; 64 * 1024])
    }
}

#[tokio::test]
async fn a_backup_may_come_in_pieces_of_any_length() {
    let source = Installation::new().await;
    let whole = backup(&source, What::Tenant(source.bottom.id)).await;
    let contents = parse_backup(&whole).unwrap();
    for length in [1, 7, 4_096] {
        let file = Pieces(whole.clone(), length);
        assert_eq!(read_backup(&file).await.unwrap(), contents, "{length}");
        let cut = Pieces(whole[..whole.len() - 1].to_vec(), length);
        assert_eq!(kind(read_backup(&cut).await), ErrorKind::Refused);
    }
}

#[tokio::test]
async fn a_line_is_at_most_a_mebibyte() {
    let result = read_backup(&Endless).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "line 1 of the backup is too long"
    );
    let line = [vec![b' '; MAX_LINE + 1], b"\n".to_vec()].concat();
    assert!(assert_refused(&line, "a long line").ends_with("is too long"));
    let source = Installation::new().await;
    let mut all = lines(&backup(&source, What::Tenant(source.bottom.id)).await);
    all[3].resize(MAX_LINE + 1, b' ');
    let message = assert_refused(&text(&all), "a long line");
    assert_eq!(message, "line 4 of the backup is too long");
}

#[tokio::test]
async fn a_backup_of_an_installation_in_use_is_one_of_its_states() {
    let source = Installation::new().await;
    let before = parse_backup(&backup(&source, What::Whole).await).unwrap();
    let mut text = Vec::new();
    let writer = async {
        for number in 0..20 {
            let user = source.make.user(&format!("new {number}"));
            source
                .write(Scope::Tenant(source.other.id), async |u| {
                    u.users().create(&user).await
                })
                .await;
        }
    };
    let (written, ()) = tokio::join!(
        write(&source.storage, &source, What::Whole, &mut text),
        writer
    );
    let contents = written.unwrap();
    assert_eq!(parse_backup(&text).unwrap(), contents);
    let users = contents.rows[&RowKind::User] - before.rows[&RowKind::User];
    assert!(users < 3, "it is the state of the beginning: {users}");
}
