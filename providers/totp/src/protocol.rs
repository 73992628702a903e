//! What this crate knows about codes, free of the provider contract: how a
//! seed makes them (RFC 6238), which step a typed one belongs to, and how an app
//! is told of the seed.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::Error;

/// The bytes of a new seed: 160 bits, as RFC 4226 section 4 recommends.
pub(crate) const SEED_BYTES: usize = 20;
/// RFC 4226 section 4 asks for 128 bits; more than the hash function's block
/// gain nothing.
const SEED_RANGE: std::ops::RangeInclusive<usize> = 16..=128;
/// The most characters of the names in an address, so that its QR code stays one
/// that a phone reads.
const MOST_NAME: usize = 40;
/// A seed in groups of so many characters is easier to type.
const GROUP: usize = 4;

/// The hash function of the codes (RFC 6238 section 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC-SHA-1, which all apps know. What is known against SHA-1 does not
    /// touch HMAC (RFC 6194 section 3.3).
    #[serde(rename = "SHA1")]
    Sha1,
    /// HMAC-SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
    /// HMAC-SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
}

impl From<Algorithm> for totp_rs::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::SHA1,
            Algorithm::Sha256 => Self::SHA256,
            Algorithm::Sha512 => Self::SHA512,
        }
    }
}

/// An authenticator: the seed that an app and this server share, and how codes
/// are made of it.
#[derive(Clone)]
pub struct Authenticator {
    seed: Zeroizing<Vec<u8>>,
    algorithm: Algorithm,
    digits: u8,
    period: u64,
    totp: Totp,
}

impl Authenticator {
    /// One with a seed of 16 to 128 bytes, whose codes have 6 to 8 digits and a
    /// period of 1 to 3,600 seconds.
    ///
    /// # Errors
    /// [`Error::NoAuthenticator`] for anything else.
    pub fn new(seed: &[u8], algorithm: Algorithm, digits: u8, period: u64) -> Result<Self, Error> {
        let fits = SEED_RANGE.contains(&seed.len())
            && (6..=8).contains(&digits)
            && (1..=3_600).contains(&period);
        if !fits {
            return Err(Error::NoAuthenticator);
        }
        let totp = builder(seed, algorithm, digits, period)
            .build()
            .map_err(|_| Error::NoAuthenticator)?;
        Ok(Self {
            seed: Zeroizing::new(seed.to_vec()),
            algorithm,
            digits,
            period,
            totp,
        })
    }

    /// One from the text of its seed, as it is shown: base32 (RFC 4648 section
    /// 6), spaces and case do not matter.
    ///
    /// # Errors
    /// [`Error::NoAuthenticator`] for anything else.
    pub fn from_base32(
        seed: &str,
        algorithm: Algorithm,
        digits: u8,
        period: u64,
    ) -> Result<Self, Error> {
        let plain: Zeroizing<String> = Zeroizing::new(
            seed.chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| c.to_ascii_uppercase())
                .collect(),
        );
        let seed = Secret::try_from_base32(plain.as_str()).map_err(|_| Error::NoAuthenticator)?;
        Self::new(seed.as_bytes(), algorithm, digits, period)
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits of a code.
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// The seconds for which a code is the present one.
    pub fn period(&self) -> u64 {
        self.period
    }

    /// The step that a moment belongs to, in seconds since 1970.
    pub fn step_at(&self, seconds: u64) -> u64 {
        seconds / self.period
    }

    /// The code of a step.
    pub fn code(&self, step: u64) -> Zeroizing<String> {
        let seconds = step.saturating_mul(self.period);
        Zeroizing::new(self.totp.generate(seconds).to_string())
    }

    /// The step that `code` belongs to, among the present one and `skew` before
    /// and after it.
    ///
    /// The last one counts: should two steps have the same code by chance, it is
    /// not right a second time as the code of the later one.
    pub fn step_of(&self, code: &str, seconds: u64, skew: u64) -> Option<u64> {
        let present = self.step_at(seconds);
        let (mut found, mut is_found) = (0, Choice::from(0));
        // All of them are compared, also after one was found, so that the time
        // it takes tells nothing.
        for step in present.saturating_sub(skew)..=present.saturating_add(skew) {
            let right = self.code(step).as_bytes().ct_eq(code.as_bytes());
            found.conditional_assign(&step, right);
            is_found |= right;
        }
        bool::from(is_found).then_some(found)
    }

    /// The seed as text, to be stored: base32 without padding.
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(Secret::from(self.seed.to_vec()).to_base32())
    }

    /// The seed as text, to be typed into an app: in groups.
    pub fn base32_groups(&self) -> Zeroizing<String> {
        let text = self.base32();
        let mut groups = String::with_capacity(text.len() * 2);
        for (number, character) in text.chars().enumerate() {
            if number > 0 && number % GROUP == 0 {
                groups.push(' ');
            }
            groups.push(character);
        }
        Zeroizing::new(groups)
    }

    /// The address that tells an app all of it: what the QR code holds. Names
    /// are cut at 40 characters, and a `:`, which would end the issuer there,
    /// becomes a `-`.
    ///
    /// # Errors
    /// [`Error::NoAuthenticator`] when there is no name to call the account by.
    pub fn uri(&self, issuer: &str, account: &str) -> Result<Zeroizing<String>, Error> {
        let uri = builder(&self.seed, self.algorithm, self.digits, self.period)
            .with_issuer(Some(plain_name(issuer)))
            .with_account_name(plain_name(account))
            .build()
            .and_then(|totp| totp.to_url())
            .map_err(|_| Error::NoAuthenticator)?;
        Ok(Zeroizing::new(uri))
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("algorithm", &self.algorithm)
            .field("digits", &self.digits)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

fn builder(seed: &[u8], algorithm: Algorithm, digits: u8, period: u64) -> Builder {
    Builder::new()
        .with_secret(seed.to_vec())
        .with_algorithm(algorithm.into())
        .with_digits(digits)
        .with_step_duration(period)
        // A name is asked for even where none is shown.
        .with_account_name("-".to_owned())
}

fn plain_name(name: &str) -> String {
    name.chars()
        .take(MOST_NAME)
        .map(|c| if c == ':' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

    /// RFC 6238 appendix B; the lengths of the seeds are in its erratum 2866.
    const VECTORS: [(u64, [&str; 3]); 6] = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];

    fn of_the_rfc(algorithm: Algorithm, digits: u8) -> Authenticator {
        let length = match algorithm {
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        };
        let seed: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
        Authenticator::new(&seed, algorithm, digits, 30).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (number, algorithm) in ALGORITHMS.into_iter().enumerate() {
            let eight = of_the_rfc(algorithm, 8);
            let six = of_the_rfc(algorithm, 6);
            for (seconds, codes) in VECTORS {
                let (step, code) = (seconds / 30, codes[number]);
                let (_, short) = code.split_at(2);
                assert_eq!(*eight.code(step), code, "{algorithm:?} at {seconds}");
                assert_eq!(*six.code(step), short, "{algorithm:?} at {seconds}");
                assert_eq!(eight.step_of(code, seconds, 0), Some(step));
                assert_eq!(six.step_of(short, seconds, 0), Some(step));
            }
        }
    }

    /// v5.0.0-6.5.5: a code is right for its step and `skew` steps around it.
    #[test]
    fn a_code_is_right_to_the_second_at_the_borders_of_the_window() {
        let authenticator = of_the_rfc(Algorithm::Sha1, 6);
        let (step, start) = (40_000_000, 1_200_000_000);
        let code = authenticator.code(step);
        for (skew, first, last) in [(0, 0, 29), (1, -30, 59), (2, -60, 89)] {
            let found = |offset: i64| {
                let seconds = u64::try_from(start + offset).unwrap();
                authenticator.step_of(&code, seconds, skew)
            };
            assert_eq!(found(first), Some(step), "skew {skew}");
            assert_eq!(found(last), Some(step), "skew {skew}");
            assert_eq!(found(first - 1), None, "skew {skew}");
            assert_eq!(found(last + 1), None, "skew {skew}");
        }
    }

    #[test]
    fn the_beginning_and_the_end_of_time_are_no_fault() {
        let authenticator = of_the_rfc(Algorithm::Sha1, 6);
        let first = authenticator.code(0);
        assert_eq!(authenticator.step_of(&first, 0, 2), Some(0));
        assert_eq!(authenticator.step_of("000000", u64::MAX, 2), None);
        let last = Authenticator::new(&[7; 20], Algorithm::Sha1, 6, 1).unwrap();
        assert_eq!(
            last.step_of(&last.code(u64::MAX), u64::MAX, 2),
            Some(u64::MAX)
        );
    }

    /// Else the code of the first could be used again as that of the second.
    #[test]
    fn of_two_steps_with_the_same_code_the_later_one_counts() {
        let authenticator = of_the_rfc(Algorithm::Sha1, 6);
        let skew = 2_000;
        let mut last = BTreeMap::new();
        let mut twins = BTreeSet::new();
        for step in 0..=2 * skew {
            let code = authenticator.code(step).to_string();
            if last.insert(code.clone(), step).is_some() {
                twins.insert(code);
            }
        }
        assert!(!twins.is_empty(), "among so many there are some");
        for code in twins {
            let found = authenticator.step_of(&code, skew * 30, skew);
            assert_eq!(found, last.get(&code).copied());
        }
    }

    #[test]
    fn what_is_no_code_is_right_at_no_time() {
        let authenticator = of_the_rfc(Algorithm::Sha1, 8);
        for code in [
            "",
            "9428708",
            "942870820",
            "94287083",
            "+4287082",
            "९४२८७०८२",
            "94287082\0",
        ] {
            assert_eq!(authenticator.step_of(code, 59, 1), None, "{code}");
        }
    }

    #[test]
    fn values_that_make_no_codes_are_refused() {
        for (seed, digits, period) in [
            (&[7; 15][..], 6, 30),
            (&[], 6, 30),
            (&[7; 129], 6, 30),
            (&[7; 20], 5, 30),
            (&[7; 20], 9, 30),
            (&[7; 20], 10, 30),
            (&[7; 20], u8::MAX, 30),
            (&[7; 20], 6, 0),
            (&[7; 20], 6, 3_601),
            (&[7; 20], 6, u64::MAX),
        ] {
            let made = Authenticator::new(seed, Algorithm::Sha1, digits, period);
            assert!(made.is_err(), "{} {digits} {period}", seed.len());
        }
        for text in ["", "JBSWY3DP", "JBSW!3DPEHPK3PXPJBSWY3DPEHPK3PXP", "0189"] {
            assert!(Authenticator::from_base32(text, Algorithm::Sha1, 6, 30).is_err());
        }
    }

    #[test]
    fn a_seed_is_shown_in_groups_of_base32_and_read_back() {
        let authenticator = of_the_rfc(Algorithm::Sha1, 6);
        assert_eq!(*authenticator.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let groups = authenticator.base32_groups();
        assert_eq!(*groups, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        for text in [
            groups.as_str(),
            &groups.to_lowercase(),
            &authenticator.base32(),
        ] {
            let read = Authenticator::from_base32(text, Algorithm::Sha1, 6, 30).unwrap();
            assert_eq!(read.code(1), authenticator.code(1));
        }
    }

    #[test]
    fn an_address_escapes_its_names_and_tells_only_what_is_unusual() {
        let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let plain = of_the_rfc(Algorithm::Sha1, 6);
        for (issuer, account, label, shown) in [
            ("Acme", "ada", "Acme:ada", "Acme"),
            (
                "Ärger & Söhne GmbH",
                "ada+b@example.com",
                "%C3%84rger%20%26%20S%C3%B6hne%20GmbH:ada%2Bb%40example.com",
                "%C3%84rger%20%26%20S%C3%B6hne%20GmbH",
            ),
            ("A:B", "c:d", "A-B:c-d", "A-B"),
            (
                "a/b?c#d%e",
                "\u{202e}x",
                "a%2Fb%3Fc%23d%25e:%E2%80%AEx",
                "a%2Fb%3Fc%23d%25e",
            ),
            (
                "x&secret=AAAA",
                "y",
                "x%26secret%3DAAAA:y",
                "x%26secret%3DAAAA",
            ),
        ] {
            assert_eq!(
                *plain.uri(issuer, account).unwrap(),
                format!("otpauth://totp/{label}?secret={seed}&issuer={shown}")
            );
        }
        let unusual =
            Authenticator::new(b"12345678901234567890", Algorithm::Sha256, 8, 45).unwrap();
        let uri = unusual.uri("Acme", "ada").unwrap();
        for part in ["digits=8", "algorithm=SHA256", "period=45"] {
            assert!(uri.split(['?', '&']).any(|found| found == part), "{}", *uri);
        }
        assert!(plain.uri("Acme", "").is_err());
    }

    #[test]
    fn an_address_fits_into_a_qr_code_whatever_the_names() {
        let authenticator = of_the_rfc(Algorithm::Sha512, 8);
        let long = "\u{1F600}".repeat(254);
        let uri = authenticator.uri(&long, &long).unwrap();
        // Version 40 with a medium level of correction holds 2,331 bytes.
        assert!(uri.len() < 2_331, "{} bytes", uri.len());
    }

    #[test]
    fn debug_shows_no_seed() {
        let shown = format!("{:?}", of_the_rfc(Algorithm::Sha1, 6));
        assert_eq!(
            shown,
            "Authenticator { algorithm: Sha1, digits: 6, period: 30, .. }"
        );
    }
}
