//! An approval, as text: for which plan, until when, by which key, and the key's signature over that. Nothing of it is secret.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::base::clock::Wall;

const KIND: &str = "peakdrill1";
const SECOND: u64 = 1_000_000_000;
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Why a token approves nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "the approval is no token of `peakdrill approve`, or a part of one: copy the whole line, which begins with {KIND}."
    )]
    NoToken,
    #[error(
        "the approval is signed by the key {key}, and the scenario's approver is {approver}: have it signed with the private \
         key of `production.approver`"
    )]
    OtherKey { key: String, approver: String },
    #[error(
        "the approval is for another plan ({approved}…, and this one is {plan}…): the file, what it brings in, the profile, \
         a --set or the version of peakdrill is another than when it was approved; have this one approved"
    )]
    OtherPlan { approved: String, plan: String },
    #[error("the signature of the approval is not its key's: the token was changed; have the plan approved again")]
    Forged,
    #[error("the approval expired at {until}, and the drill would go on until {end}; have it approved for longer")]
    Expired { until: Wall, end: Wall },
}

/// What a token that holds says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Approved {
    /// The fingerprint of the approver's key.
    pub(super) key: String,
    pub(super) until: Wall,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a plan as it is stored, in hexadecimal digits.
pub(super) fn digest(plan: &[u8]) -> String {
    hex(&Sha256::digest(plan))
}

/// The first eight bytes of the SHA-256 of a public key, by which people know it.
pub(super) fn fingerprint(public: &[u8]) -> String {
    hex(&Sha256::digest(public)[..8])
}

/// A key that approves.
pub(super) struct Approver(Ed25519KeyPair);

impl Approver {
    pub(super) fn generate() -> Result<Approver, String> {
        Ed25519KeyPair::generate().map(Approver).map_err(|error| error.to_string())
    }

    /// As PKCS #8 in PEM, which other programs read and write, too.
    pub(super) fn to_pem(&self) -> Result<String, String> {
        let document = self.0.to_pkcs8v1().map_err(|error| error.to_string())?;
        Ok(format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(document.as_ref())))
    }

    pub(super) fn from_pem(text: &str) -> Result<Approver, String> {
        let wrong = "it is no private key in PEM (PKCS #8)".to_owned();
        let body = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).map(|(body, _)| body);
        let body: String = body.ok_or(&wrong)?.split_whitespace().collect();
        let document = STANDARD.decode(body).map_err(|_| wrong)?;
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document);
        key.map(Approver).map_err(|error| format!("it is no Ed25519 key: {error}"))
    }

    /// In hexadecimal digits.
    pub(super) fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// A token for a plan of this digest.
    pub(super) fn approve(&self, plan: &str, until: Wall) -> String {
        let key = fingerprint(self.0.public_key().as_ref());
        let signed = format!("{KIND}.{plan}.{}.{key}", until.unix_nanos() / SECOND);
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Whether `token` lets a plan of this digest go on until `end`. `approver` is the public key in hexadecimal digits.
pub(super) fn verify(token: &str, plan: &str, approver: &str, end: Wall) -> Result<Approved, Refused> {
    let public = unhex(approver).ok_or(Refused::NoToken)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::NoToken)?;
    let [KIND, approved, until, key] = signed.split('.').collect::<Vec<_>>()[..] else { return Err(Refused::NoToken) };
    let seconds: u64 = until.parse().map_err(|_| Refused::NoToken)?;
    let nanos = seconds.checked_mul(SECOND).ok_or(Refused::NoToken)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::NoToken)?;
    let own = fingerprint(&public);
    if key != own {
        return Err(Refused::OtherKey { key: key.to_owned(), approver: own });
    }
    // Before anything that it says is believed.
    if UnparsedPublicKey::new(&ED25519, &public).verify(signed.as_bytes(), &signature).is_err() {
        return Err(Refused::Forged);
    }
    if approved != plan {
        let short = |digest: &str| digest.chars().take(12).collect();
        return Err(Refused::OtherPlan { approved: short(approved), plan: short(plan) });
    }
    let until = Wall::from_unix_nanos(nanos);
    if end > until {
        return Err(Refused::Expired { until, end });
    }
    Ok(Approved { key: own, until })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Wall {
        Wall::from_unix_nanos(seconds * SECOND)
    }

    fn plan() -> String {
        digest(b"{}")
    }

    #[test]
    fn a_token_holds_for_its_plan_its_key_and_its_time_alone() {
        let (key, other) = (Approver::generate().unwrap(), Approver::generate().unwrap());
        let token = key.approve(&plan(), at(1_000));
        let own = fingerprint(&unhex(&key.public()).unwrap());
        let holds = Approved { key: own.clone(), until: at(1_000) };
        assert_eq!(verify(&token, &plan(), &key.public(), at(1_000)), Ok(holds));
        let verified = |end, plan: &str, key: &Approver| verify(&token, plan, &key.public(), end).unwrap_err();
        assert_eq!(verified(at(1_001), &plan(), &key), Refused::Expired { until: at(1_000), end: at(1_001) });
        assert!(matches!(verified(at(1), &digest(b"{ }"), &key), Refused::OtherPlan { .. }));
        assert!(matches!(verified(at(1), &plan(), &other), Refused::OtherKey { key, .. } if key == own));
        // One that says that the right key has signed it.
        let (body, _) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.encode(other.0.sign(body.as_bytes()));
        assert_eq!(verify(&format!("{body}.{signature}"), &plan(), &key.public(), at(1)), Err(Refused::Forged));
    }

    #[test]
    fn a_private_key_is_read_as_it_was_written() {
        let key = Approver::generate().unwrap();
        let pem = key.to_pem().unwrap();
        assert_eq!(Approver::from_pem(&pem).unwrap().public(), key.public());
        for wrong in ["", "hello", &pem.replace("PRIVATE", "PUBLIC"), &pem.replacen('M', "", 1)] {
            assert!(Approver::from_pem(wrong).is_err(), "{wrong}");
        }
        // RFC 8410, section 10.3: a key that others made.
        let known = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                     -----END PRIVATE KEY-----\n";
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!(Approver::from_pem(known).unwrap().public(), public);
    }

    proptest! {
        #[test]
        fn any_byte_that_was_changed_is_refused(index in any::<prop::sample::Index>(), bit in 0u32..8, seed in any::<[u8; 8]>()) {
            let key = Approver::generate().unwrap();
            let plan = digest(&seed);
            let token = key.approve(&plan, at(1_000));
            let mut bytes = token.into_bytes();
            let place = index.index(bytes.len());
            bytes[place] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(verify(&text, &plan, &key.public(), at(1)).is_err(), "{text}");
            }
        }

        #[test]
        fn no_text_is_a_token(text in ".{0,200}") {
            prop_assert_eq!(verify(&text, &plan(), &"00".repeat(32), at(1)), Err(Refused::NoToken));
        }
    }
}
