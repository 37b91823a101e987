use proptest::prelude::*;
use tokens::{Digest, PREFIX, RevocationId, Secret, SecretError, TokenId};

#[test]
fn a_new_secret_is_read_again() {
    let secret = Secret::generate().unwrap();
    let text = secret.expose();
    assert!(text.starts_with(PREFIX) && text.len() == 5 + 43 + 6, "{text}");
    assert!(Secret::is_meant_by(text));
    assert_eq!(Secret::parse(text).unwrap().digest(), secret.digest());
    assert_ne!(Secret::generate().unwrap().digest(), secret.digest());
}

#[test]
fn what_is_not_a_secret_is_told_apart() {
    let text = Secret::generate().unwrap().expose().to_owned();
    let long = format!("{text}0");
    let dashed = format!("{}-{}", &text[..10], &text[11..]);
    for (text, error) in [
        ("", SecretError::Prefix),
        ("eyJhbGciOi", SecretError::Prefix),
        ("OSAT_", SecretError::Prefix),
        ("osat_", SecretError::Form),
        (&text[..53], SecretError::Form),
        (&long, SecretError::Form),
        (&dashed, SecretError::Form),
        ("osat_0000000000000000000000000000000000000000000000000", SecretError::Checksum),
    ] {
        assert_eq!(Secret::parse(text).unwrap_err(), error, "{text}");
    }
}

/// Worked out by zlib and by hand, so that scanners can be taught the form.
#[test]
fn the_checksum_is_the_crc_32_of_what_is_before_it() {
    let secret = format!("osat_{}{}", "0".repeat(43), "4DxrtN");
    assert!(Secret::parse(&secret).is_ok());
}

#[test]
fn nothing_shows_a_secret() {
    let secret = Secret::generate().unwrap();
    assert_eq!(format!("{secret:?}"), "Secret(…)");
    assert_eq!(format!("{:?}", secret.digest()), "Digest(…)");
    let json = serde_json::to_string(&secret.digest()).unwrap();
    assert_eq!(json.len(), 66);
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), secret.digest());
    assert!(serde_json::from_str::<Digest>("\"00\"").is_err());
}

#[test]
fn ids_have_one_form() {
    let id = TokenId::generate().unwrap();
    assert_eq!(id.as_str().parse::<TokenId>().unwrap(), id);
    assert!(RevocationId::generate().unwrap().as_str().starts_with("rev_"));
    for text in
        ["", "tok_", "tok_ABCDEFGHIJKLMNOPQRST", "tok_abcdefghijklmnopqrs1", "rev_abcdefghijklmnopqrst"]
    {
        assert!(text.parse::<TokenId>().is_err(), "{text}");
    }
}

proptest! {
    /// One wrong character is always noticed.
    #[test]
    fn a_slip_is_found(place in 5..54_usize, letter in "[0-9A-Za-z]") {
        let text = Secret::generate().unwrap().expose().to_owned();
        let mut slipped = text.clone();
        slipped.replace_range(place..=place, &letter);
        prop_assert_eq!(Secret::parse(&slipped).is_ok(), slipped == text);
    }

    #[test]
    fn any_text_is_survived(text in any::<String>(), tail in "[0-9A-Za-z]{40,60}") {
        prop_assert!(Secret::parse(&text).is_err());
        let _ = Secret::parse(&format!("{PREFIX}{tail}"));
    }
}
