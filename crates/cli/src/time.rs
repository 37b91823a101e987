//! Durations and times as they are typed.

use std::time::Duration;

use jiff::Timestamp;

/// A time, or a distance from now.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// The time.
    At(Timestamp),
    /// The distance.
    Away(Duration),
}

impl When {
    /// With a distance, that much later than `now`.
    pub(crate) fn ahead_of(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Away(distance) => now.checked_add(distance).unwrap_or(Timestamp::MAX),
        }
    }

    /// With a distance, that much earlier than `now`.
    pub(crate) fn back_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Away(distance) => now.checked_sub(distance).unwrap_or(Timestamp::MIN),
        }
    }
}

/// Reads a time of RFC 3339, or a duration.
pub(crate) fn when(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse() {
        return Ok(When::At(at));
    }
    duration(text)
        .map(When::Away)
        .map_err(|_| "write it as 2026-12-31T00:00:00Z, or as a duration: 24h, 7d".to_owned())
}

/// Reads `90s`, `10m`, `24h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as a number and a unit: 90s, 10m, 24h, 7d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number = text.trim_end_matches(unit);
    if number.len() + 1 != text.len() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u32 = number.parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err("it must not be zero".to_owned());
    }
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("10m", Some(600)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("0s", None),
            ("", None),
            ("h", None),
            ("24", None),
            ("24hh", None),
            ("-1h", None),
            ("1.5h", None),
            ("99999999999d", None),
            ("24ü", None),
        ] {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn times() {
        let now: Timestamp = "2026-01-08T00:00:00Z".parse().unwrap();
        let both = |text: &str| {
            when(text).map(|when| [when.back_from(now), when.ahead_of(now)].map(|at| at.to_string()))
        };
        assert_eq!(both("7d").unwrap(), ["2026-01-01T00:00:00Z", "2026-01-15T00:00:00Z"]);
        assert_eq!(both("2025-06-01T12:00:00+02:00").unwrap(), ["2025-06-01T10:00:00Z"; 2]);
        assert!(when("yesterday").is_err());
    }
}
