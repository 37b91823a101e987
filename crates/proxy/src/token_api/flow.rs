//! What is known of a flow between two requests of a browser. The browser keeps it, encrypted, so that any proxy can go on.

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use oauth::ErrorCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokens::{AuthorizationId, StoreKeys};

use super::{answer::Fault, browser::PATIENCE};

/// What a client asks a person for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Asking {
    pub(crate) client_id: String,
    /// `None`: all that the client can have.
    pub(crate) scopes: Option<Vec<String>>,
    /// Names; empty: all.
    pub(crate) clusters: Vec<String>,
    /// Seconds.
    pub(crate) lifetime: Option<u64>,
    pub(crate) way: AskingWay,
}

/// How it asks.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum AskingWay {
    /// By the browser.
    Code {
        redirect_uri: String,
        state: Option<String>,
        challenge: String,
        /// The person may not be troubled.
        silent: bool,
        /// The person is asked even for what was allowed before.
        again: bool,
    },
    /// By a device.
    Device { id: AuthorizationId, user_code: String },
}

/// While the person is at the provider.
#[derive(Deserialize, Serialize)]
pub(crate) struct AtLogin {
    pub(crate) asking: Asking,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

/// While the person decides.
#[derive(Deserialize, Serialize)]
pub(crate) struct AtConsent {
    pub(crate) asking: Asking,
    pub(crate) issuer: String,
    pub(crate) claims: Map<String, Value>,
}

/// A step of a flow, which can be sealed for this step alone.
pub(crate) trait Step: Serialize + DeserializeOwned {
    const PURPOSE: &'static str;
}

impl Step for AtLogin {
    const PURPOSE: &'static str = "login";
}

impl Step for AtConsent {
    const PURPOSE: &'static str = "consent";
}

#[derive(Deserialize, Serialize)]
struct Note<S> {
    until: Timestamp,
    step: S,
}

/// Seals a step for whoever knows `bound_to`.
pub(crate) fn seal<S: Step>(
    keys: &StoreKeys,
    bound_to: &str,
    step: S,
    now: Timestamp,
) -> Result<String, Fault> {
    let patience = SignedDuration::from_secs(PATIENCE.cast_signed());
    let until = now.checked_add(patience).map_err(|error| Fault::internal(error.to_string()))?;
    let plain =
        serde_json::to_vec(&Note { until, step }).map_err(|error| Fault::internal(error.to_string()))?;
    keys.seal_note(S::PURPOSE, bound_to, plain).map_err(|error| Fault::internal(error.to_string()))
}

/// Opens it again, within the time.
pub(crate) fn open<S: Step>(
    keys: &StoreKeys,
    bound_to: &str,
    sealed: &str,
    now: Timestamp,
) -> Result<S, Fault> {
    let plain = keys.open_note(S::PURPOSE, bound_to, sealed).map_err(|_| lost())?;
    let note: Note<S> = serde_json::from_slice(&plain).map_err(|_| lost())?;
    if note.until <= now { Err(lost()) } else { Ok(note.step) }
}

/// The browser does not have what belongs to the request.
pub(crate) fn lost() -> Fault {
    let why = "this browser did not begin this login, or it took too long: go back to the program that sent you, and begin again";
    Fault::new(ErrorCode::InvalidRequest, why)
}

/// A name or value of 128 random bits.
pub(crate) fn random() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| Fault::internal("no randomness from the operating system"))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// Whether a text can be one of [`random`]: it becomes the name of a cookie.
pub(crate) fn is_random(text: &str) -> bool {
    text.len() == 22 && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_opened_by_its_browser_for_its_purpose_and_in_time() {
        let keys = StoreKeys::of_this_process().unwrap();
        let asking = Asking {
            client_id: "agent".to_owned(),
            scopes: None,
            clusters: vec![],
            lifetime: None,
            way: AskingWay::Code {
                redirect_uri: "https://agent.example/cb".to_owned(),
                state: None,
                challenge: String::new(),
                silent: false,
                again: false,
            },
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let later = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let step = AtLogin { asking, nonce: "n".to_owned(), verifier: "v".to_owned() };
        let sealed = seal(&keys, "flow", step, now).unwrap();
        assert_eq!(open::<AtLogin>(&keys, "flow", &sealed, later(599)).unwrap().verifier, "v");
        assert!(open::<AtLogin>(&keys, "flow", &sealed, later(600)).is_err());
        assert!(open::<AtLogin>(&keys, "other", &sealed, now).is_err());
        assert!(open::<AtConsent>(&keys, "flow", &sealed, now).is_err());
        let name = random().unwrap();
        assert!(is_random(&name) && !is_random(&name[1..]) && !is_random("../../../../../../etc/x"));
    }
}
