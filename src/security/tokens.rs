//! Access tokens: JSON Web Tokens, HS256, with the signing key's name in `kid`. Owns their claims, making and
//! judging. No I/O.
//!
//! Invariants: no other algorithm is accepted, whatever the header says; expiry is exact, by the server's clock;
//! a token older than the present lifetime has expired, so shortening the setting takes effect at once.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::domain::actor::Actor;
use crate::domain::member::Role;
use crate::kernel::secret::Secret;
use crate::kernel::{Code, Error, MemberId, Millis, Result, SessionId, TenantId};

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: MemberId,
    tid: TenantId,
    sid: SessionId,
    role: Role,
    iat: i64,
    exp: i64,
}

/// A judged access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// On whose behalf its bearer acts.
    pub actor: Actor,
    /// When it was made (whole seconds).
    pub issued_at: Millis,
    /// When it ends (whole seconds).
    pub expires_at: Millis,
}

/// The keys that sign and verify.
pub struct Keys {
    signing: (String, EncodingKey),
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
    lifetime: i64,
}

impl Keys {
    /// Keys by name, the first one signs; `lifetime` in seconds.
    pub fn new(keys: &[(String, Secret)], lifetime: i64) -> Self {
        let (kid, secret) = keys.first().cloned().unwrap_or_default();
        Self {
            signing: (kid, EncodingKey::from_secret(secret.expose().as_bytes())),
            verifying: keys
                .iter()
                .map(|(kid, secret)| (kid.clone(), DecodingKey::from_secret(secret.expose().as_bytes())))
                .collect(),
            validation: hs256_only(),
            lifetime,
        }
    }

    /// Makes a token and says when it ends: after the lifetime, or with the account.
    pub fn sign(&self, actor: &Actor, now: Millis, account_ends: Option<Millis>) -> Result<(Secret, Millis)> {
        let issued = now.0.div_euclid(1_000);
        let ends = account_ends.map_or(i64::MAX, |end| end.0.div_euclid(1_000));
        let expires = (issued + self.lifetime).min(ends);
        let claims = Claims {
            sub: actor.member,
            tid: actor.tenant,
            sid: actor.session,
            role: actor.role,
            iat: issued,
            exp: expires,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.signing.0.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.signing.1)
            .map_err(|cause| Error::internal("signing failed").caused_by(cause))?;
        Ok((Secret::new(token), Millis(expires * 1_000)))
    }

    /// Judges a token. Errors: `token_invalid`, `token_expired`.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Verified> {
        let invalid = || Error::new(Code::TokenInvalid, Code::TokenInvalid.meaning());
        let kid = jsonwebtoken::decode_header(token).map_err(|_| invalid())?.kid.ok_or_else(invalid)?;
        let (_, key) = self.verifying.iter().find(|(known, _)| *known == kid).ok_or_else(invalid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|cause| invalid().caused_by(cause))?
            .claims;
        let expires_at = Millis(claims.exp.saturating_mul(1_000));
        let oldest = now.0.div_euclid(1_000).saturating_sub(self.lifetime);
        if now >= expires_at || claims.iat < oldest {
            return Err(Error::new(Code::TokenExpired, Code::TokenExpired.meaning()));
        }
        Ok(Verified {
            actor: Actor { tenant: claims.tid, member: claims.sub, role: claims.role, session: claims.sid },
            issued_at: Millis(claims.iat.saturating_mul(1_000)),
            expires_at,
        })
    }
}

/// Accepts HS256 only. Times are left to the caller, who has the server's clock; the library reads the system's
/// and would allow a minute more.
pub fn hs256_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: Millis = Millis(1_795_341_600_123);

    fn key(kid: &str, letter: &str) -> (String, Secret) {
        (kid.to_owned(), Secret::new(letter.repeat(32)))
    }

    fn actor() -> Actor {
        Actor { tenant: TenantId(1), member: MemberId(2), role: Role::Agent, session: SessionId(3) }
    }

    fn code<T>(result: Result<T>) -> Option<Code> {
        result.err().map(|error| error.code)
    }

    #[test]
    fn a_token_comes_back_as_its_actor_until_the_millisecond_of_its_end() -> Result<()> {
        let keys = Keys::new(&[key("one", "a")], 900);
        let (token, expires_at) = keys.sign(&actor(), NOW, None)?;
        assert_eq!(expires_at, Millis(1_795_342_500_000));
        assert_eq!(keys.verify(token.expose(), Millis(expires_at.0 - 1))?.actor, actor());
        assert_eq!(code(keys.verify(token.expose(), expires_at)), Some(Code::TokenExpired));
        Ok(())
    }

    #[test]
    fn a_token_ends_with_the_account() -> Result<()> {
        let keys = Keys::new(&[key("one", "a")], 900);
        let (_, expires_at) = keys.sign(&actor(), NOW, Some(NOW.plus(5_000)))?;
        assert!(expires_at <= NOW.plus(5_000));
        Ok(())
    }

    #[test]
    fn an_old_key_still_verifies_and_a_removed_one_does_not() -> Result<()> {
        let (old, _) = Keys::new(&[key("old", "a")], 900).sign(&actor(), NOW, None)?;
        let rotated = Keys::new(&[key("new", "b"), key("old", "a")], 900);
        assert!(rotated.verify(old.expose(), NOW).is_ok());
        let (new, _) = rotated.sign(&actor(), NOW, None)?;
        let done = Keys::new(&[key("new", "b")], 900);
        assert!(done.verify(new.expose(), NOW).is_ok());
        assert_eq!(code(done.verify(old.expose(), NOW)), Some(Code::TokenInvalid));
        Ok(())
    }

    #[test]
    fn forged_and_re_signed_tokens_are_refused() -> Result<()> {
        let keys = Keys::new(&[key("one", "a")], 900);
        let (token, _) = keys.sign(&actor(), NOW, None)?;
        let parts: Vec<&str> = token.expose().split('.').collect();
        let [head, body, signature] = parts[..] else { return Err(Error::internal("not a JWT")) };
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let none = encode(r#"{"typ":"JWT","alg":"none","kid":"one"}"#);
        let (other_key, _) = Keys::new(&[key("one", "b")], 900).sign(&actor(), NOW, None)?;
        let mut stronger = Header::new(Algorithm::HS512);
        stronger.kid = Some("one".to_owned());
        let claims = Claims {
            sub: MemberId(2),
            tid: TenantId(1),
            sid: SessionId(3),
            role: Role::Admin,
            iat: NOW.0 / 1_000,
            exp: NOW.0 / 1_000 + 60,
        };
        let secret = EncodingKey::from_secret("a".repeat(32).as_bytes());
        let other_algorithm = jsonwebtoken::encode(&stronger, &claims, &secret)
            .map_err(|cause| Error::internal("encode").caused_by(cause))?;
        for forged in [
            format!("{none}.{body}."),
            format!("{none}.{body}.{signature}"),
            format!("{head}.{}.{signature}", encode(r#"{"sub":"2","role":"admin"}"#)),
            format!("{head}.{body}"),
            other_key.expose().to_owned(),
            other_algorithm,
            String::new(),
            "a.b.c".to_owned(),
        ] {
            assert_eq!(code(keys.verify(&forged, NOW)), Some(Code::TokenInvalid), "{forged}");
        }
        Ok(())
    }
}
