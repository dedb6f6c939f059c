use proptest::prelude::*;

use super::*;
use crate::scope::Scope;

const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn secret() -> Secret {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn claims() -> Claims {
    Claims::new("ci", Scope::Run.into(), NOW, DAY).unwrap()
}

/// A token with these parts, signed by our secret however odd they are.
fn signed(header: &str, claims: &str) -> String {
    let signed = [header, claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let signature = secret().mac(&signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn refused(token: &str) -> Refused {
    secret().verify(token, NOW).unwrap_err()
}

#[test]
fn a_token_says_what_was_signed() {
    let claims = claims();
    let token = secret().sign(&claims);
    assert_eq!(secret().verify(&token, NOW), Ok(claims.clone()));
    assert_eq!(Claims::peek(&token), Ok(claims.clone()));
    assert_eq!(claims.expires, NOW.millis() / 1000 + DAY.as_secs());
    assert_ne!(claims.id, self::claims().id, "ids are random");
}

#[test]
fn the_signature_is_that_of_the_standard() {
    // printf HEADER.CLAIMS in base64url | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    let claims = r#"{"sub":"ci","scope":"run","iat":1795449600,"exp":1795536000,"jti":"id-1"}"#;
    let token = signed(HEADER, claims);
    assert_eq!(
        token,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
         eyJzdWIiOiJjaSIsInNjb3BlIjoicnVuIiwiaWF0IjoxNzk1NDQ5NjAwLCJleHAiOjE3OTU1MzYwMDAsImp0aSI6ImlkLTEifQ.\
         aTdPxtTFGZJ6kdksFp5XCHUkudil8oDG7wVJbza5f2A"
    );
    let read = secret().verify(&token, NOW).unwrap();
    assert_eq!(secret().sign(&read), token);
}

#[test]
fn another_secret_is_none() {
    let other: Secret = "0123456789abcdef0123456789abcdeF".parse().unwrap();
    assert_eq!(refused(&other.sign(&claims())), Refused::Signature);
}

#[test]
fn whatever_is_changed_shows() {
    let token = secret().sign(&claims());
    for at in 0..token.len() {
        for new in ['A', 'B', '.', '='] {
            if token.as_bytes()[at] == new as u8 {
                continue;
            }
            let mut changed = token.clone();
            changed.replace_range(at..=at, &new.to_string());
            assert!(secret().verify(&changed, NOW).is_err(), "{at} {new}");
        }
    }
    for end in 0..token.len() {
        assert!(secret().verify(&token[..end], NOW).is_err(), "{end}");
    }
    // A signature cut short is none, not a prefix that fits.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let short = URL_SAFE_NO_PAD.encode(&URL_SAFE_NO_PAD.decode(signature).unwrap()[..16]);
    assert_eq!(refused(&format!("{signed}.{short}")), Refused::Signature);
    assert_eq!(refused(&format!("{signed}.")), Refused::Signature);
}

#[test]
fn another_algorithm_is_refused_even_if_the_signature_is_good() {
    let claims = serde_json::to_string(&claims()).unwrap();
    for alg in [
        "none", "None", "hs256", "HS384", "HS512", "RS256", "ES256", "",
    ] {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        assert_eq!(
            refused(&signed(&header, &claims)),
            Refused::Algorithm,
            "{alg}"
        );
    }
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let unsigned = format!("{unsigned}.{}.", URL_SAFE_NO_PAD.encode(&claims));
    assert_eq!(refused(&unsigned), Refused::Algorithm);
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","kid":"../../dev/null"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
    ] {
        let refused = refused(&signed(header, &claims));
        assert!(matches!(refused, Refused::Malformed(_)), "{header}");
    }
    assert!(
        secret()
            .verify(&signed(r#"{"alg":"HS256"}"#, &claims), NOW)
            .is_ok()
    );
}

#[test]
fn a_token_ends_with_the_second_it_names() {
    let claims = claims();
    let token = secret().sign(&claims);
    let at = |seconds: u64| secret().verify(&token, Timestamp::from_millis(seconds * 1000 + 999));
    assert!(at(claims.expires - 1).is_ok());
    assert_eq!(at(claims.expires), Err(Refused::Expired(claims.expiry())));
    let words = at(claims.expires).unwrap_err().to_string();
    assert!(words.contains("2026-11-24T16:00:00Z"), "{words}");
}

#[test]
fn a_claim_that_is_missing_or_unknown_is_refused() {
    let whole = r#"{"sub":"ci","scope":"run","iat":1795449600,"exp":1795536000,"jti":"a"}"#;
    assert!(secret().verify(&signed(HEADER, whole), NOW).is_ok());
    for broken in [
        whole.replace(r#""exp":1795536000,"#, ""),
        whole.replace(r#","jti":"a""#, ""),
        whole.replace(r#""jti":"a""#, r#""jti":"a.b""#),
        whole.replace(r#""exp":1795536000"#, r#""exp":"1795536000""#),
        whole.replace(
            r#""exp":1795536000"#,
            r#""exp":1795536000,"nbf":1795536000"#,
        ),
        whole.replace(
            r#""exp":1795536000"#,
            r#""exp":1795536000,"exp":1895536000"#,
        ),
        String::from("null"),
    ] {
        let refused = refused(&signed(HEADER, &broken));
        assert!(matches!(refused, Refused::Malformed(_)), "{broken}");
    }
}

#[test]
fn no_token_lives_longer_than_it_can_be_revoked() {
    let made = |lifetime| Claims::new("ci", Scope::Read.into(), NOW, lifetime);
    assert!(made(TOKEN_LIFETIME).is_ok());
    assert_eq!(made(TOKEN_LIFETIME + DAY), Err(BadClaims::Lifetime));
    assert_eq!(made(Duration::from_millis(999)), Err(BadClaims::Lifetime));
    let mut claims = claims();
    claims.expires = u64::MAX;
    assert_eq!(refused(&secret().sign(&claims)), Refused::Lifetime);
}

#[test]
fn a_name_is_for_people() {
    let named = |name: &str| Claims::new(name, Scope::Read.into(), NOW, DAY);
    assert!(named("Ada's laptop, 2026").is_ok());
    for bad in ["", "a\nb", "\u{1b}[31m", &"x".repeat(TOKEN_NAME_BYTES + 1)] {
        assert_eq!(named(bad), Err(BadClaims::Name), "{bad}");
    }
}

#[test]
fn a_secret_is_long_and_never_shown() {
    assert!("0123456789abcdef0123456789abcde".parse::<Secret>().is_err());
    assert!(
        "0123456789abcdef0123456789abcde \n"
            .parse::<Secret>()
            .is_err()
    );
    let with_line_break: Secret = "0123456789abcdef0123456789abcdef\n".parse().unwrap();
    assert!(
        secret()
            .verify(&with_line_break.sign(&claims()), NOW)
            .is_ok()
    );
    assert_eq!(format!("{:?}", secret()), "Secret(..)");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-zA-Z0-9._=-]{0,80}|.{0,40}") {
        prop_assert!(secret().verify(&text, NOW).is_err());
    }
}
