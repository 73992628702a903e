//! Backups as files: written, read, refused, scheduled.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::{Compression, write::GzEncoder};
use gatelodge_core::{
    Environment, Parts, Platform, Result,
    access::Caller,
    archive::{BackupSink as _, Contents, What, read_backup},
    environment::{ManualClock, SystemRandom},
    limits::LimitPolicy,
    messages::Messages,
    model::{EffectiveSettings, TenantName},
    provider::Registry,
    seal::MasterKey,
    service::NewTenant,
    storage::Storage,
};
use gatelodge_storage_suite::memory::MemoryStorage;
use jiff::{SignedDuration, Timestamp};

use super::{
    BackupOnDisk, Identities, Made, Order, Place, found, make, make_identity_file, name::part,
    schedule::Schedule, writer::BackupWriter,
};
use crate::config::{BackupRecipient, Config};

const HOUR: u64 = 3_600;

/// A folder, and servers with a small database.
struct World {
    folder: tempfile::TempDir,
    storage: MemoryStorage,
    clock: Arc<ManualClock>,
    platform: Platform,
}

impl World {
    async fn new() -> Self {
        let storage = MemoryStorage::side_by_side();
        let start: Timestamp = "2026-11-27T03:15:00Z".parse().unwrap();
        let clock = ManualClock::at(start);
        let platform = node(&storage, &clock).await;
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            storage,
            clock,
            platform,
        };
        world.tenant("acme").await;
        world
    }

    async fn tenant(&self, name: &str) {
        let new = NewTenant {
            name: TenantName::new(name).unwrap(),
            display_name: None,
        };
        let tenants = self.platform.tenants();
        tenants.create(&Caller::operator(), new).await.unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new key, and its file.
    fn key(&self, name: &str) -> (BackupRecipient, PathBuf) {
        let path = self.path(name);
        let recipient = make_identity_file(&path, self.platform.now()).unwrap();
        (recipient, path)
    }

    async fn made(&self, file: &str, recipients: &[BackupRecipient]) -> Result<Made> {
        let order = Order {
            what: What::Whole,
            now: self.platform.now(),
            place: Place::File(self.path(file)),
            recipients,
        };
        make(&self.storage, order, &mut |_| {}).await
    }

    /// What else is in the folder than keys.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".key"))
            .collect();
        names.sort();
        names
    }

    fn schedule(&self, hours: u32, keep: u32) -> Schedule {
        let mut config = Config::default();
        config.backup.folder = Some(self.folder.path().to_owned());
        config.backup.every_hours = Some(hours);
        config.backup.keep = keep;
        config.backup.recipients = vec![age::x25519::Identity::generate().to_public().into()];
        Schedule::of(&config).unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(std::time::Duration::from_secs(seconds));
    }
}

async fn node(storage: &MemoryStorage, clock: &Arc<ManualClock>) -> Platform {
    let parts = Parts {
        storage: Arc::new(storage.clone()),
        environment: Environment::new(Arc::clone(clock) as _, Arc::new(SystemRandom)),
        master_key: MasterKey::new([7; 32]),
        providers: Registry::new(),
        settings: EffectiveSettings::default(),
        limits: LimitPolicy::default(),
        messages: Messages::none(),
        outbound: std::sync::Arc::new(gatelodge_core::provider::Nowhere),
        origins: gatelodge_core::Origins::new("http://localhost".parse().unwrap()),
        session_memory: 10,
        key_policy: gatelodge_core::tokens::KeyPolicy::default(),
    };
    Platform::open(parts).await.unwrap()
}

async fn read(path: &Path, identity: Option<&Path>) -> Result<Contents> {
    let identities = identity.map(Identities::read).transpose()?;
    read_backup(&BackupOnDisk::new(path, identities)).await
}

/// Why it is refused, without the folder's name.
async fn refusal(path: &Path, identity: Option<&Path>) -> String {
    let message = read(path, identity).await.unwrap_err().to_string();
    let folder = format!("{}/", path.parent().unwrap().display());
    message.replace(&folder, "")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_is_written_is_read_by_each_of_its_recipients_and_by_nobody_else() {
    let world = World::new().await;
    let ((one, one_file), (other, other_file)) = (world.key("one.key"), world.key("other.key"));
    let (_, foreign_file) = world.key("foreign.key");
    let made = world.made("x", &[one, other]).await.unwrap();
    assert_eq!(world.names(), ["x"]);
    let metadata = fs::metadata(&made.path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.len(), made.bytes);
    let whole = fs::read(&made.path).unwrap();
    assert!(!whole.windows(4).any(|window| window == b"acme"));
    for file in [&one_file, &other_file] {
        let contents = read(&made.path, Some(file)).await.unwrap();
        assert_eq!(contents, made.contents);
    }
    assert_eq!(
        refusal(&made.path, Some(&foreign_file)).await,
        "`x` is encrypted for somebody else: no identity in the file of `--identity` opens it"
    );
    assert_eq!(
        refusal(&made.path, None).await,
        "`x` is encrypted; name the file of an age identity that opens it with `--identity FILE`"
    );
}

#[tokio::test]
async fn an_open_backup_needs_no_identity_and_takes_any() {
    let world = World::new().await;
    let (_, key) = world.key("one.key");
    let made = world.made("x", &[]).await.unwrap();
    for identity in [None, Some(key.as_path())] {
        assert_eq!(read(&made.path, identity).await.unwrap(), made.contents);
    }
}

#[tokio::test]
async fn a_long_backup_streams_and_comes_back_whole() {
    let world = World::new().await;
    for number in 0..600 {
        world.tenant(&format!("tenant-{number}")).await;
    }
    let (recipient, key) = world.key("one.key");
    let made = world.made("x", &[recipient]).await.unwrap();
    let contents = read(&made.path, Some(&key)).await.unwrap();
    assert_eq!(contents, made.contents);
    assert!(made.rows() > 1_200);
}

/// Every cut and every changed byte is noticed, encrypted or not.
#[tokio::test]
async fn what_is_cut_off_or_changed_is_refused() {
    let world = World::new().await;
    let (recipient, key) = world.key("one.key");
    let sealed = world.made("sealed", &[recipient]).await.unwrap();
    let open = world.made("open", &[]).await.unwrap();
    let path = world.path("broken");
    for (made, is_sealed) in [(sealed, true), (open, false)] {
        let whole = fs::read(&made.path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let refusal = refusal(&path, Some(&key)).await;
            assert!(
                refusal.contains("broken") || refusal.contains("the backup"),
                "{refusal}"
            );
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            match read(&path, Some(&key)).await {
                Err(_) => {}
                // The head of a gzip file holds a time and a system that mean nothing.
                Ok(contents) => assert!(!is_sealed && at < 10 && contents == made.contents, "{at}"),
            }
        }
        let longer = [whole.as_slice(), b"more"].concat();
        fs::write(&path, longer).unwrap();
        assert!(read(&path, Some(&key)).await.is_err());
    }
    fs::write(&path, [gzip(b""), gzip(b"")].concat()).unwrap();
    assert_eq!(
        refusal(&path, None).await,
        "`broken` has something after its end"
    );
}

#[tokio::test]
async fn what_is_no_backup_is_refused_in_words() {
    let world = World::new().await;
    let (recipient, key) = world.key("one.key");
    let path = world.path("x");
    let age = |content: &[u8]| age::encrypt(recipient.as_age(), content).unwrap();
    let beginning = "line 1 of the backup is not the beginning of a backup of Gatelodge";
    for (content, expected) in [
        (Vec::new(), "`x` is empty"),
        (b"\0\0tar".to_vec(), "`x` is no backup of Gatelodge"),
        (
            b"-----BEGIN AGE ENCRYPTED FILE-----\n".to_vec(),
            "`x` is an age file made fit for mail; take that away with `age -d` first",
        ),
        (gzip(b"a tar\n"), beginning),
        (
            age(b"a letter"),
            "`x` is an age file of something else, and no backup of Gatelodge",
        ),
        (
            age(b""),
            "`x` is an age file of something else, and no backup of Gatelodge",
        ),
        (age(&gzip(b"{}\n")), beginning),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(refusal(&path, Some(&key)).await, expected);
    }
    fs::create_dir(world.path("folder")).unwrap();
    let folder = refusal(&world.path("folder"), None).await;
    assert_eq!(folder, "`folder` is a folder, and no backup");
    let missing = refusal(&world.path("none"), None).await;
    assert!(missing.starts_with("`none` cannot be read: "), "{missing}");
}

#[tokio::test]
async fn nothing_is_written_over_and_what_was_left_behind_is_cleared_away() {
    let world = World::new().await;
    fs::write(world.path("x"), "precious").unwrap();
    let error = world.made("x", &[]).await.unwrap_err();
    assert!(error.to_string().ends_with("is there already"), "{error}");
    assert_eq!(fs::read_to_string(world.path("x")).unwrap(), "precious");

    fs::write(world.path("y.part"), "of one that was killed").unwrap();
    world.made("y", &[]).await.unwrap();

    let writer = BackupWriter::create(&world.path("z"), &[]).await.unwrap();
    let error = world.made("z", &[]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("another backup is written there"),
        "{error}"
    );
    writer.finish().await.unwrap();
    assert_eq!(world.names(), ["x", "y", "z"]);

    let error = world.made("none/x", &[]).await.unwrap_err();
    assert!(
        error.to_string().contains("none/x.part` cannot be made"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failed_backup_leaves_nothing() {
    let world = World::new().await;
    world.storage.close().await;
    assert!(world.made("x", &[]).await.is_err());
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn an_interrupted_backup_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut writer = BackupWriter::create(&path, &[]).await.unwrap();
        for _ in 0..10 {
            writer.line(&vec![b'x'; 100_000]).await.unwrap();
        }
        assert!(part(&path).exists());
    });
    // Waits for threads that still work.
    drop(runtime);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_of_identities_may_hold_comments_and_several_and_shows_none_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let write = |text: &str| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Identities::read(&path)
    };
    use secrecy::ExposeSecret as _;
    let secret = || age::x25519::Identity::generate().to_string();
    let (one, other) = (secret(), secret());
    let (one, other) = (one.expose_secret(), other.expose_secret());
    let identities = write(&format!("# mine\n\n  {one} \r\n#{other}\n{other}\n")).unwrap();
    assert_eq!(identities.all.len(), 2);
    assert_eq!(identities.warning, None);
    assert!(!format!("{identities:?}").contains("AGE-SECRET"));

    let error = write(&format!(
        "{one}\n{}\n",
        other.get(..other.len() - 1).unwrap()
    ))
    .unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("line 2 is none of the form"), "{text}");
    assert!(!text.contains(other.get(20..40).unwrap()), "{text}");
    assert!(write("# nothing\n").is_err());
    assert!(write(&"#\n".repeat(40_000)).is_err());
    assert!(Identities::read(folder.path()).is_err());
    assert!(Identities::read(&folder.path().join("none")).is_err());

    write(one).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let warning = Identities::read(&path).unwrap().warning.unwrap();
    assert!(warning.ends_with("`chmod 600` it"), "{warning}");
}

#[test]
fn a_key_is_made_for_its_owner_alone_and_never_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let recipient = make_identity_file(&path, Timestamp::UNIX_EPOCH).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read_to_string(&path).unwrap();
    let line = format!("# public key: {recipient}");
    assert!(before.lines().any(|read| read == line));
    assert!(make_identity_file(&path, Timestamp::UNIX_EPOCH).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[tokio::test]
async fn a_scheduled_backup_is_made_when_the_last_one_is_old_enough() {
    let world = World::new().await;
    let schedule = world.schedule(24, 7);
    schedule.look(&world.platform).await.unwrap();
    let first = "gatelodge-20261127T031500Z.backup.age";
    assert_eq!(world.names(), [first]);
    world.pass(24 * HOUR - 1);
    schedule.look(&world.platform).await.unwrap();
    assert_eq!(world.names(), [first]);
    world.pass(1);
    schedule.look(&world.platform).await.unwrap();
    assert_eq!(
        world.names(),
        [first, "gatelodge-20261128T031500Z.backup.age"]
    );
    let noted = world.platform.backups().schedule().await.unwrap();
    assert_eq!(noted.last_success, Some(world.platform.now()));
    assert_eq!(noted.files, world.names());
}

#[tokio::test]
async fn of_several_servers_one_makes_each_backup() {
    let world = World::new().await;
    let other = node(&world.storage, &world.clock).await;
    for number in 1..=5 {
        let (one, two) = (world.schedule(1, 100), world.schedule(1, 100));
        let (one, two) = tokio::join!(one.look(&world.platform), two.look(&other));
        one.unwrap();
        two.unwrap();
        assert_eq!(world.names().len(), number);
        world.pass(HOUR);
    }
}

#[tokio::test]
async fn only_the_oldest_that_the_schedule_made_are_removed() {
    let world = World::new().await;
    let others = [
        "gatelodge-20200101T000000Z.backup.age",
        "gatelodge-20200101T000000Z.backup",
        "gatelodge-20200101T000000Z-tenant-01890a5d-ac96-774b-bcce-b302099a8057.backup.age",
        "gatelodge.db",
        "letter.part",
    ];
    for other in others {
        fs::write(world.path(other), "precious").unwrap();
    }
    let killed = world.path("gatelodge-20200101T000000Z.backup.age.part");
    fs::write(&killed, "of one that was killed").unwrap();
    let living = world.path("gatelodge-20200102T000000Z.backup.age");
    let living = BackupWriter::create(&living, &[]).await.unwrap();
    let schedule = world.schedule(1, 2);
    for _ in 0..5 {
        schedule.look(&world.platform).await.unwrap();
        world.pass(HOUR);
    }
    let mut expected: Vec<_> = others.map(str::to_owned).to_vec();
    expected.extend(["06", "07"].map(|hour| format!("gatelodge-20261127T{hour}1500Z.backup.age")));
    expected.push("gatelodge-20200102T000000Z.backup.age.part".to_owned());
    expected.sort();
    assert_eq!(world.names(), expected);
    assert_eq!(
        living.finish().await.unwrap().1,
        fs::metadata(world.path("gatelodge-20200102T000000Z.backup.age"))
            .unwrap()
            .len()
    );
    let listed = found(world.folder.path()).await.unwrap();
    assert_eq!(listed.len(), 6);
    assert!(listed.is_sorted_by_key(|found| found.name.at));
}

#[tokio::test]
async fn a_failure_is_tried_again_after_ten_minutes() {
    let world = World::new().await;
    let mut config = Config::default();
    config.backup.folder = Some(world.path("a-file/backups"));
    config.backup.every_hours = Some(1);
    config.backup.recipients = vec![age::x25519::Identity::generate().to_public().into()];
    let schedule = Schedule::of(&config).unwrap();
    fs::write(world.path("a-file"), "").unwrap();
    let error = schedule.look(&world.platform).await.unwrap_err();
    assert!(error.to_string().contains("cannot be made"), "{error}");
    fs::remove_file(world.path("a-file")).unwrap();
    world.pass(599);
    schedule.look(&world.platform).await.unwrap();
    assert_eq!(world.names(), [""; 0]);
    world.pass(1);
    schedule.look(&world.platform).await.unwrap();
    assert_eq!(found(&world.path("a-file/backups")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_backups_of_one_second_have_two_names() {
    let world = World::new().await;
    for _ in 0..2 {
        let order = Order {
            what: What::Whole,
            now: world.platform.now(),
            place: Place::Folder(world.path("new/backups")),
            recipients: &[],
        };
        make(&world.storage, order, &mut |_| {}).await.unwrap();
    }
    let listed = found(&world.path("new/backups")).await.unwrap();
    let [one, other] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    let apart = other.name.at.duration_since(one.name.at);
    assert_eq!(apart, SignedDuration::from_secs(1));
    assert_eq!(found(&world.path("none")).await.unwrap(), []);
}
