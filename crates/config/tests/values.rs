//! Durations, sizes and secrets.

use config::value::{ByteSize, Duration, Secret};
use proptest::prelude::*;

#[test]
fn durations() {
    for (text, expected, canonical) in [
        ("250ms", Duration::from_millis(250), "250ms"),
        ("0s", Duration::from_secs(0), "0s"),
        ("30s", Duration::from_secs(30), "30s"),
        ("90s", Duration::from_secs(90), "90s"),
        ("60s", Duration::from_secs(60), "1m"),
        ("5m", Duration::from_secs(300), "5m"),
        ("1h", Duration::from_secs(3600), "1h"),
        ("7d", Duration::from_secs(604_800), "7d"),
    ] {
        let duration: Duration = text.parse().expect(text);
        assert_eq!(duration, expected);
        assert_eq!(duration.to_string(), canonical);
        assert_eq!(std::time::Duration::from(duration), *duration);
    }
    for text in ["", "s", "5", "5 s", "5S", "1.5s", "-1s", "+1s", "1s1s", "1w", "99999999999999999999s", "٣s"]
    {
        assert!(text.parse::<Duration>().is_err(), "{text}");
        assert!(serde_json::from_value::<Duration>(text.into()).is_err(), "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes, canonical) in [
        ("0", 0, "0B"),
        ("1", 1, "1B"),
        ("512B", 512, "512B"),
        ("64KiB", 65_536, "64KiB"),
        ("1024KiB", 1_048_576, "1MiB"),
        ("256MiB", 268_435_456, "256MiB"),
        ("2GiB", 2_147_483_648, "2GiB"),
        ("10MB", 10_000_000, "10MB"),
        ("1kB", 1000, "1kB"),
        ("3KB", 3000, "3kB"),
        ("1GB", 1_000_000_000, "1GB"),
    ] {
        let size: ByteSize = text.parse().expect(text);
        assert_eq!(size, ByteSize::from_bytes(bytes));
        assert_eq!(size.to_string(), canonical);
    }
    for text in ["", "KiB", "1 KiB", "1kib", "1.5MB", "-1", "1TB", "18446744073709551616", "99999999999GiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text}");
    }
    assert_eq!(serde_json::from_value::<ByteSize>(4096.into()).ok(), Some(ByteSize::from_kib(4)));
    for number in [serde_json::json!(-1), serde_json::json!(1.5), serde_json::json!(null)] {
        assert!(serde_json::from_value::<ByteSize>(number).is_err());
    }
}

#[test]
fn secrets_are_not_printed() {
    let secret: Secret = serde_json::from_value("hunter2".into()).expect("a secret");
    assert_eq!(secret.expose(), "hunter2");
    assert_eq!(format!("{secret:?}"), "[redacted]");
    assert_eq!(secret, Secret::new("hunter2"));
    assert_ne!(secret, Secret::new("hunter3"));
    assert_ne!(secret, Secret::new("hunter"));
}

proptest! {
    #[test]
    fn duration_round_trip(milliseconds in any::<u32>()) {
        let duration = Duration::from_millis(milliseconds.into());
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn size_round_trip(bytes in any::<u64>()) {
        let size = ByteSize::from_bytes(bytes);
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = text.parse::<Duration>();
        let _ = text.parse::<ByteSize>();
    }
}
