//! Access tokens: JSON Web Tokens, HS256, with the signing key's name in `kid`. Owns their claims, signing and
//! verifying. No I/O.
//!
//! Invariants: no other algorithm is accepted, whatever the header says; expiry is exact, by the server's clock;
//! a token older than the present lifetime has expired, so shortening the setting takes effect at once; a token
//! that was made for somebody else (`aud`, `iss`), is not valid yet (`nbf`) or asks for an extension (`crit`) is
//! refused, although tokens of this service carry none of these.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::domain::actor::{Actor, DeviceMark, Origin};
use crate::domain::member::Role;
use crate::domain::operation::OperationSet;
use crate::kernel::secret::Secret;
use crate::kernel::{Code, Error, MemberId, Millis, Result, SessionId, TenantId};

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: MemberId,
    tid: TenantId,
    sid: SessionId,
    role: Role,
    /// The mark of the session's device; customers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dev: Option<String>,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing)]
    nbf: Option<f64>,
    #[serde(default, skip_serializing)]
    iss: Option<serde_json::Value>,
    #[serde(default, skip_serializing)]
    aud: Option<serde_json::Value>,
}

/// The name of this service in `iss` and `aud`.
pub const SERVICE: &str = "deskwire";

/// A verified access token.
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
        super::hs256::install();
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
            dev: actor.origin.device.filter(|_| !actor.role.is_staff()).map(DeviceMark::text),
            iat: issued,
            exp: expires,
            nbf: None,
            iss: None,
            aud: None,
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.signing.0.clone());
        let token = jsonwebtoken::encode(&header, &claims, &self.signing.1)
            .map_err(|cause| Error::internal("signing failed").caused_by(cause))?;
        Ok((Secret::new(token), Millis(expires * 1_000)))
    }

    /// Verifies a token. Errors: `token_invalid`, `token_expired`.
    pub fn verify(&self, token: &str, now: Millis) -> Result<Verified> {
        let invalid = || Error::new(Code::TokenInvalid, Code::TokenInvalid.meaning());
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        if header.crit.is_some() {
            return Err(invalid());
        }
        let kid = header.kid.ok_or_else(invalid)?;
        let (_, key) = self.verifying.iter().find(|(known, _)| *known == kid).ok_or_else(invalid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|cause| invalid().caused_by(cause))?
            .claims;
        let foreign = claims.iss.is_some_and(|iss| !names(&iss, &[SERVICE]))
            || claims.aud.is_some_and(|aud| !names(&aud, &[SERVICE]));
        if foreign || claims.nbf.is_some_and(|from| numeric_date(from).is_none_or(|from| from > now)) {
            return Err(invalid());
        }
        let expires_at = Millis(claims.exp.saturating_mul(1_000));
        let oldest = now.0.div_euclid(1_000).saturating_sub(self.lifetime);
        if now >= expires_at || claims.iat < oldest {
            return Err(Error::new(Code::TokenExpired, Code::TokenExpired.meaning()));
        }
        Ok(Verified {
            actor: Actor {
                operations: OperationSet::ALL,
                tenant: claims.tid,
                member: claims.sub,
                role: claims.role,
                session: claims.sid,
                origin: Origin {
                    device: claims.dev.as_deref().and_then(DeviceMark::parse),
                    ..Origin::default()
                },
            },
            issued_at: Millis(claims.iat.saturating_mul(1_000)),
            expires_at,
        })
    }
}

/// Whether a claim is one of these names, or a list that holds one of them.
pub fn names(claim: &serde_json::Value, accepted: &[&str]) -> bool {
    match claim {
        serde_json::Value::String(name) => accepted.contains(&name.as_str()),
        serde_json::Value::Array(list) => {
            list.iter().any(|one| one.as_str().is_some_and(|name| accepted.contains(&name)))
        }
        _ => false,
    }
}

/// A NumericDate (RFC 7519): seconds since 1970, with or without a fraction. `None` for what no clock shows.
pub fn numeric_date(seconds: f64) -> Option<Millis> {
    let milliseconds = seconds * 1_000.0;
    (milliseconds.is_finite() && milliseconds.abs() < 8.64e15).then_some(Millis(milliseconds as i64))
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
    use hmac::{Hmac, Mac};
    use sha2::Sha512;

    const NOW: Millis = Millis(1_795_341_600_123);

    fn key(kid: &str, letter: &str) -> (String, Secret) {
        (kid.to_owned(), Secret::new(letter.repeat(32)))
    }

    fn actor() -> Actor {
        Actor {
            operations: OperationSet::ALL,
            tenant: TenantId(1),
            member: MemberId(2),
            role: Role::Agent,
            session: SessionId(3),
            origin: Origin::default(),
        }
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
    fn a_token_names_the_device_of_a_customer_only() -> Result<()> {
        let keys = Keys::new(&[key("one", "a")], 900);
        let device = DeviceMark::of("phone");
        for (role, named) in [(Role::Customer, device), (Role::Agent, None)] {
            let actor = Actor { role, origin: Origin { device, ..Origin::default() }, ..actor() };
            let (token, _) = keys.sign(&actor, NOW, None)?;
            assert_eq!(keys.verify(token.expose(), NOW)?.actor.origin.device, named);
        }
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
        let claims = Claims {
            sub: MemberId(2),
            tid: TenantId(1),
            sid: SessionId(3),
            role: Role::Admin,
            dev: None,
            iat: NOW.0 / 1_000,
            exp: NOW.0 / 1_000 + 60,
            nbf: None,
            iss: None,
            aud: None,
        };
        let head512 = encode(r#"{"typ":"JWT","alg":"HS512","kid":"one"}"#);
        let body512 = encode(&serde_json::to_string(&claims).unwrap_or_default());
        let message = format!("{head512}.{body512}");
        let code512 = Hmac::<Sha512>::new_from_slice("a".repeat(32).as_bytes())
            .map_err(|_| Error::internal("key"))?
            .chain_update(&message)
            .finalize();
        let other_algorithm = format!("{message}.{}", URL_SAFE_NO_PAD.encode(code512.into_bytes()));
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

    #[test]
    fn tokens_for_others_not_yet_valid_or_with_extensions_are_refused() -> Result<()> {
        let keys = Keys::new(&[key("one", "a")], 900);
        let now = NOW.0 / 1_000;
        let sign = |header: serde_json::Value, more: serde_json::Value| -> Result<String> {
            let mut claims = serde_json::json!({
                "sub": "2", "tid": "1", "sid": "3", "role": "agent", "iat": now, "exp": now + 60,
            });
            for (name, value) in more.as_object().into_iter().flatten() {
                claims[name] = value.clone();
            }
            let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", encode(&header), encode(&claims));
            let code = super::super::hs256::mac("a".repeat(32).as_bytes(), message.as_bytes())?;
            Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(code)))
        };
        let head = serde_json::json!({"typ": "JWT", "alg": "HS256", "kid": "one"});
        for good in [
            serde_json::json!({}),
            serde_json::json!({"nbf": now, "iss": "deskwire", "aud": ["other", "deskwire"]}),
            serde_json::json!({"nbf": now as f64 - 0.5}),
        ] {
            assert!(keys.verify(&sign(head.clone(), good.clone())?, NOW).is_ok(), "{good}");
        }
        for wrong in [
            serde_json::json!({"nbf": now + 60}),
            serde_json::json!({"nbf": "soon"}),
            serde_json::json!({"iss": "https://other.example"}),
            serde_json::json!({"aud": "other"}),
            serde_json::json!({"aud": ["other"]}),
            serde_json::json!({"aud": 7}),
        ] {
            let token = sign(head.clone(), wrong.clone())?;
            assert_eq!(code(keys.verify(&token, NOW)), Some(Code::TokenInvalid), "{wrong}");
        }
        let mut critical = head.clone();
        critical["crit"] = serde_json::json!(["b64"]);
        let token = sign(critical, serde_json::json!({}))?;
        assert_eq!(code(keys.verify(&token, NOW)), Some(Code::TokenInvalid));
        Ok(())
    }
}
