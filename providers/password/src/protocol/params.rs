//! The parameters of Argon2: configured ones, and those found in a stored string.

use argon2::{
    Algorithm, Params, Version,
    password_hash::phc::{Output, PasswordHash, Salt},
};
use subtle::ConstantTimeEq;

use crate::Error;

/// The most memory of one hash, in KiB: 256 MiB.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The most passes over the memory.
pub const MAX_ITERATIONS: u32 = 64;
/// The most lanes.
pub const MAX_PARALLELISM: u32 = 16;
/// The most memory times passes, in KiB: about half a second of one core.
pub const MAX_WORK_KIB: u32 = 1024 * 1024;

/// The length of the hashes made here, in bytes.
const OUTPUT_BYTES: usize = 32;
/// Longer than any string that keeps within the limits above.
const MAX_STORED_BYTES: usize = 512;

/// Memory and passes, in pairs that the OWASP Password Storage Cheat Sheet
/// holds to be equally strong, the least it accepts.
const OWASP_MINIMUM: [(u32, u32); 5] = [
    (47_104, 1),
    (19_456, 2),
    (12_288, 3),
    (9_216, 4),
    (7_168, 5),
];

/// How costly a hash is to make: memory, passes, lanes of Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashParams {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

impl HashParams {
    /// What OWASP recommends first: 19 MiB, two passes, one lane.
    pub const OWASP: Self = Self {
        memory_kib: 19_456,
        iterations: 2,
        parallelism: 1,
    };

    /// Parameters at least as strong as OWASP's minimum and within the `MAX_…` limits.
    ///
    /// The error names the key of the configuration that is to blame.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, Error> {
        in_range("iterations", iterations, 1, MAX_ITERATIONS)?;
        in_range("parallelism", parallelism, 1, MAX_PARALLELISM)?;
        let floor = memory_floor(iterations);
        if !(floor..=MAX_MEMORY_KIB).contains(&memory_kib) {
            return Err(Error::setting(
                "memory_kib",
                format!(
                    "must be {floor} to {MAX_MEMORY_KIB} when `iterations` is {iterations}, not {memory_kib}"
                ),
            ));
        }
        if u64::from(memory_kib) * u64::from(iterations) > u64::from(MAX_WORK_KIB) {
            let most = MAX_WORK_KIB / memory_kib;
            let problem = format!(
                "must be at most {most} when `memory_kib` is {memory_kib}, not {iterations}"
            );
            return Err(Error::setting("iterations", problem));
        }
        Ok(Self {
            memory_kib,
            iterations,
            parallelism,
        })
    }

    /// Memory in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Lanes.
    pub fn parallelism(&self) -> u32 {
        self.parallelism
    }

    /// What to compute for a new hash with these parameters.
    pub(super) fn recipe(&self, salt: &[u8]) -> Result<Recipe, Error> {
        let fault = |error: argon2::Error| Error::Hash(error.to_string());
        let (m, t, p) = (self.memory_kib, self.iterations, self.parallelism);
        Ok(Recipe {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params: Params::new(m, t, p, Some(OUTPUT_BYTES)).map_err(fault)?,
            salt: Salt::new(salt).map_err(|error| Error::Hash(error.to_string()))?,
            output_bytes: OUTPUT_BYTES,
        })
    }
}

impl Default for HashParams {
    fn default() -> Self {
        Self::OWASP
    }
}

/// Everything but the password that determines a hash.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) params: Params,
    pub(super) salt: Salt,
    pub(super) output_bytes: usize,
}

impl Recipe {
    /// The PHC string of the hash that came out.
    pub(super) fn phc(&self, output: &[u8]) -> Result<String, Error> {
        let phc = PasswordHash {
            algorithm: self.algorithm.into(),
            version: Some(self.version.into()),
            params: (&self.params)
                .try_into()
                .map_err(|error: argon2::password_hash::Error| Error::Hash(error.to_string()))?,
            salt: Some(self.salt),
            hash: Some(Output::new(output).map_err(|error| Error::Hash(error.to_string()))?),
        };
        Ok(phc.to_string())
    }
}

/// A stored hash that is well-formed and within the limits.
pub(super) struct StoredHash {
    recipe: Recipe,
    output: Output,
}

impl StoredHash {
    /// Reads a PHC string; `None` for anything that must not be computed:
    /// malformed, another function, beyond the limits.
    pub(super) fn parse(phc: &str) -> Option<Self> {
        if phc.len() > MAX_STORED_BYTES {
            return None;
        }
        let parsed = PasswordHash::new(phc).ok()?;
        let algorithm = Algorithm::new(parsed.algorithm.as_str()).ok()?;
        // Without a version the string is of Argon2 1.0, as its authors' tools read it.
        let version = parsed
            .version
            .map_or(Ok(Version::V0x10), Version::try_from)
            .ok()?;
        let params = Params::try_from(&parsed).ok()?;
        let (salt, output) = (parsed.salt?, parsed.hash?);
        let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        let bounded = params.m_cost() <= MAX_MEMORY_KIB
            && params.t_cost() <= MAX_ITERATIONS
            && params.p_cost() <= MAX_PARALLELISM
            && work <= u64::from(MAX_WORK_KIB);
        bounded.then(|| Self {
            recipe: Recipe {
                algorithm,
                version,
                params,
                salt,
                output_bytes: output.len(),
            },
            output,
        })
    }

    pub(super) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Compares in constant time.
    pub(super) fn matches(&self, output: &[u8]) -> bool {
        self.output.as_bytes().ct_eq(output).into()
    }

    /// Whether an attacker has less work with this hash than with a new one.
    /// Lanes do not count: they divide the time, not the work.
    pub(super) fn weaker_than(&self, configured: &HashParams) -> bool {
        let recipe = &self.recipe;
        recipe.algorithm != Algorithm::Argon2id
            || recipe.version != Version::V0x13
            || recipe.params.m_cost() < configured.memory_kib
            || recipe.params.t_cost() < configured.iterations
            || recipe.output_bytes < OUTPUT_BYTES
            || recipe.salt.len() < super::hash::SALT_BYTES
    }
}

/// The least memory that is strong enough with so many passes.
fn memory_floor(iterations: u32) -> u32 {
    OWASP_MINIMUM
        .iter()
        .rev()
        .find(|(_, passes)| *passes <= iterations)
        .map_or(MAX_MEMORY_KIB, |(memory, _)| *memory)
}

fn in_range(key: &'static str, value: u32, least: u32, most: u32) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::setting(
        key,
        format!("must be {least} to {most}, not {value}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_owasp_pair_is_accepted_and_one_kib_less_is_not() {
        for (memory, passes) in OWASP_MINIMUM {
            assert!(HashParams::new(memory, passes, 1).is_ok());
            let refused = HashParams::new(memory - 1, passes, 1).unwrap_err();
            assert!(
                refused.to_string().starts_with("`memory_kib` must be"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_value_out_of_range_is_refused_by_its_key() {
        for (m, t, p, key) in [
            (19_456, 0, 1, "iterations"),
            (19_456, MAX_ITERATIONS + 1, 1, "iterations"),
            (MAX_MEMORY_KIB, 5, 1, "iterations"),
            (MAX_MEMORY_KIB + 1, 1, 1, "memory_kib"),
            (19_456, 2, 0, "parallelism"),
            (19_456, 2, MAX_PARALLELISM + 1, "parallelism"),
        ] {
            let refused = HashParams::new(m, t, p).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("`{key}`")), "{refused}");
        }
    }

    #[test]
    fn a_stored_string_beyond_the_limits_is_not_computed() {
        let (salt, hash) = ("c2FsdHNhbHRzYWx0c2FsdA", "A".repeat(43));
        let stored = |params: &str| format!("$argon2id$v=19${params}${salt}${hash}");
        assert!(StoredHash::parse(&stored("m=65536,t=3,p=4")).is_some());
        for params in [
            "m=4294967295,t=1,p=1",
            "m=262145,t=1,p=1",
            "m=19456,t=65,p=1",
            "m=19456,t=4294967295,p=1",
            "m=19456,t=2,p=17",
            "m=262144,t=5,p=1",
            "m=0,t=2,p=1",
            "m=19456,t=0,p=1",
            "m=19456,t=2,p=0",
        ] {
            assert!(StoredHash::parse(&stored(params)).is_none(), "{params}");
        }
        let long = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${}", "A".repeat(2000));
        assert!(StoredHash::parse(&long).is_none());
    }

    #[test]
    fn what_is_weaker_than_configured_is_seen() {
        let hash = "A".repeat(43);
        let weaker = |head: &str, salt: &str| {
            StoredHash::parse(&format!("{head}${salt}${hash}"))
                .unwrap()
                .weaker_than(&HashParams::OWASP)
        };
        let salt = "c2FsdHNhbHRzYWx0c2FsdA";
        assert!(!weaker("$argon2id$v=19$m=19456,t=2,p=1", salt));
        assert!(!weaker("$argon2id$v=19$m=65536,t=3,p=4", salt));
        assert!(weaker("$argon2id$v=19$m=19455,t=2,p=1", salt));
        assert!(weaker("$argon2id$v=19$m=19456,t=1,p=1", salt));
        assert!(weaker("$argon2id$v=16$m=19456,t=2,p=1", salt));
        assert!(weaker("$argon2i$v=19$m=19456,t=2,p=1", salt));
        assert!(weaker("$argon2id$v=19$m=19456,t=2,p=1", "c2FsdHNhbHQ"));
    }
}
