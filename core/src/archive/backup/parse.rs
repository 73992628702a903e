use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Contents, FORMAT, Header, MAX_LINE, ScopeLine, Trailer, is_left_out};
use crate::{
    Error, Result,
    archive::{hex, marker::is_marker},
    model::{TenantId, UserId},
    seal,
    storage::{Row, RowKey, RowKind, Scope},
};

/// One line of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The first.
    Header(Header),
    /// The scope of the rows that follow.
    Scope(Scope),
    /// A row, in the scope that was named last.
    Row(Scope, Box<Row>),
    /// The last.
    End,
}

/// Reads a whole backup.
///
/// # Errors
/// As [`read_backup`](super::read_backup).
pub fn parse_backup(bytes: &[u8]) -> Result<Contents> {
    let mut parser = Parser::new();
    let mut rest = bytes;
    while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(length);
        parser.line(line)?;
        rest = after.get(1..).unwrap_or_default();
    }
    parser.check_end(rest.is_empty())?;
    parser.contents()
}

/// A refusal that names the line.
pub(super) fn refused(line: u64, why: impl std::fmt::Display) -> Error {
    Error::refused(format!("line {line} of the backup {why}"))
}

/// Takes the lines of a backup and believes none of them: what is not exactly as
/// [`write_backup`](super::write_backup) would have written it is refused.
#[derive(Default)]
pub struct Parser {
    lines: u64,
    digest: Sha256,
    header: Option<Header>,
    scope: Option<Scope>,
    /// Of the row before, in this scope.
    last: Option<(RowKind, RowKey)>,
    tenants: BTreeSet<TenantId>,
    /// Those of this scope.
    users: BTreeSet<UserId>,
    has_keys: bool,
    rows: BTreeMap<RowKind, u64>,
    contents: Option<Contents>,
}

impl Parser {
    /// A parser before the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many lines it took.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// As [`read_backup`](super::read_backup); no further line may follow then.
    pub fn line(&mut self, line: &[u8]) -> Result<Entry> {
        self.lines += 1;
        if line.len() > MAX_LINE {
            return Err(self.refused("is too long"));
        }
        if self.contents.is_some() {
            return Err(self.refused("comes after the end"));
        }
        let Some(header) = &self.header else {
            return self.header(line);
        };
        let value = parsed(line).ok_or_else(|| self.refused("cannot be read"))?;
        if value.get("row").is_some() {
            let is_whole = header.tenant.is_none();
            self.row(line, value, is_whole)
        } else if value.get("end").is_some() {
            self.end(value)
        } else {
            self.scope(line, value)
        }
    }

    /// Whether a backup may end here, when nothing or something follows that is
    /// not a line.
    pub(super) fn check_end(&self, is_nothing: bool) -> Result<()> {
        match (is_nothing, self.contents.is_some()) {
            (true, true) => Ok(()),
            (true, false) => Err(Error::refused(format!(
                "the backup is cut off after line {}",
                self.lines
            ))),
            (false, _) => Err(refused(self.lines + 1, "is cut off")),
        }
    }

    /// What was read.
    ///
    /// # Errors
    /// As [`read_backup`](super::read_backup), before the end.
    pub fn contents(self) -> Result<Contents> {
        self.check_end(true)?;
        self.contents
            .ok_or_else(|| Error::internal("a backup without contents"))
    }

    fn refused(&self, why: impl std::fmt::Display) -> Error {
        refused(self.lines, why)
    }

    fn add(&mut self, line: &[u8]) {
        self.digest.update(line);
        self.digest.update(b"\n");
    }

    /// The value as what it must be; whatever this program would lose is refused.
    fn known<T: DeserializeOwned + serde::Serialize>(&self, value: Value) -> Result<T> {
        let unknown = || self.refused("cannot be read");
        let known: T = serde_json::from_value(value.clone()).map_err(|_| unknown())?;
        let written = serde_json::to_value(&known).map_err(|_| unknown())?;
        if is_within(&value, &written) {
            Ok(known)
        } else {
            Err(self.refused("holds something that this program does not know"))
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<Entry> {
        let foreign = || self.refused("is not the beginning of a backup of Gatelodge");
        let value = parsed(line).ok_or_else(foreign)?;
        let format = value.get("gatelodge_backup").ok_or_else(foreign)?;
        match format.as_u64() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                return Err(self.refused("says that a newer version of Gatelodge made it"));
            }
            _ => return Err(foreign()),
        }
        let header: Header = self.known(value)?;
        if header.keys.first() != Some(&header.installation) {
            return Err(self.refused("does not name the installation's keys"));
        }
        self.add(line);
        self.header = Some(header.clone());
        Ok(Entry::Header(header))
    }

    fn scope(&mut self, line: &[u8], value: Value) -> Result<Entry> {
        let named: ScopeLine = self.known(value)?;
        let scope = Scope::from(named.scope);
        let is_next = match (self.scope, scope) {
            (None, Scope::Platform) => true,
            (Some(Scope::Platform), Scope::Tenant(_)) => self.last.is_some(),
            (Some(Scope::Tenant(before)), Scope::Tenant(tenant)) => {
                before < tenant && self.last.is_some()
            }
            _ => false,
        };
        let own = self
            .header
            .as_ref()
            .and_then(|header| header.tenant.as_ref());
        let is_meant = match (own, scope) {
            (Some(own), Scope::Tenant(tenant)) => own.id == tenant,
            _ => true,
        };
        if !is_next || !is_meant {
            return Err(self.refused("names a scope that is out of place"));
        }
        self.add(line);
        self.scope = Some(scope);
        self.last = None;
        self.users.clear();
        Ok(Entry::Scope(scope))
    }

    fn row(&mut self, line: &[u8], value: Value, is_whole: bool) -> Result<Entry> {
        let row: Row = self.known(value)?;
        let out_of_place = || self.refused("holds a row that is out of place");
        let scope = self.scope.ok_or_else(out_of_place)?;
        let (kind, key) = (row.kind(), row.key());
        let is_there = kind.is_in(scope)
            && !is_left_out(kind)
            && (is_whole || scope != Scope::Platform || kind == RowKind::Tenant);
        if !is_there || !self.follows(kind, &key) || !self.fits(scope, &row, is_whole) {
            return Err(out_of_place());
        }
        if let Row::Value { name, value, .. } = &row
            && name == seal::NAME
        {
            let named = self.header.as_ref().map(|header| header.keys.as_slice());
            let keys = seal::fingerprints(value).ok();
            if keys.as_deref() != named {
                return Err(self.refused("holds other data keys than the first line names"));
            }
            self.has_keys = true;
        }
        match &row {
            Row::Tenant(tenant) => _ = self.tenants.insert(tenant.id),
            Row::User(user) => _ = self.users.insert(user.id),
            _ => {}
        }
        *self.rows.entry(kind).or_default() += 1;
        self.last = Some((kind, key));
        self.add(line);
        Ok(Entry::Row(scope, Box::new(row)))
    }

    /// Whether a row may stand after the one before. Tenants come masters first.
    fn follows(&self, kind: RowKind, key: &RowKey) -> bool {
        match &self.last {
            None => true,
            Some((last, _)) if *last != kind => *last < kind,
            Some(_) if kind == RowKind::Tenant => true,
            Some((_, last)) => last < key,
        }
    }

    /// Whether what a row refers to came before it.
    fn fits(&self, scope: Scope, row: &Row, is_whole: bool) -> bool {
        let inside = match scope {
            Scope::Tenant(tenant) => Some(tenant),
            Scope::Platform => None,
        };
        let is_tenant_there = inside.is_some_and(|tenant| self.tenants.contains(&tenant));
        match row {
            Row::Value { name, .. } => !is_marker(name),
            Row::Tenant(tenant) => {
                let is_master_there = |master| self.tenants.contains(&master);
                let own = self
                    .header
                    .as_ref()
                    .and_then(|header| header.tenant.as_ref());
                !self.tenants.contains(&tenant.id)
                    && own.is_none_or(|own| own.id == tenant.id && own.name == tenant.name)
                    && (!is_whole || tenant.master.is_none_or(is_master_there))
            }
            Row::Application(application) => Some(application.tenant) == inside && is_tenant_there,
            Row::Settings { .. } | Row::User(_) => is_tenant_there,
            Row::Grant { user, .. } => self.users.contains(user),
            Row::Record(record) => {
                is_tenant_there && record.user.is_none_or(|user| self.users.contains(&user))
            }
            Row::Session(session) => Some(session.tenant) == inside,
            Row::Event(event) => event.tenant == inside,
            Row::Limit { .. } | Row::Flow(_) | Row::Message(_) => false,
        }
    }

    fn end(&mut self, value: Value) -> Result<Entry> {
        let trailer: Trailer = self.known(value)?;
        let header = self.header.clone();
        let header = header.ok_or_else(|| self.refused("comes too early"))?;
        let sha256 = hex(&self.digest.clone().finalize());
        let is_complete = match &header.tenant {
            None => self.has_keys,
            Some(tenant) => self.tenants.contains(&tenant.id),
        };
        if !trailer.end || trailer.sha256 != sha256 || trailer.rows != self.rows || !is_complete {
            return Err(self.refused("does not fit the lines before: the backup was changed"));
        }
        self.contents = Some(Contents {
            header,
            rows: trailer.rows,
            sha256,
        });
        Ok(Entry::End)
    }
}

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parser")
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// One JSON object.
fn parsed(line: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(line).ok()?;
    value.is_object().then_some(value)
}

/// Whether everything in `read` is in what the program writes of it. What was
/// added to the model since is not in `read`.
fn is_within(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => read.iter().all(|(name, value)| {
            let written = written.get(name);
            written.is_some_and(|written| is_within(value, written))
        }),
        (Value::Array(read), Value::Array(written)) => {
            let mut pairs = read.iter().zip(written);
            read.len() == written.len() && pairs.all(|(read, written)| is_within(read, written))
        }
        _ => read == written,
    }
}
