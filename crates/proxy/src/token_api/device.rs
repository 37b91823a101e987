//! Devices without a browser (RFC 8628): what they ask, and the page where a person enters their code.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use config::model::TokenClientGrant;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use oauth::{ClaimedClient, ErrorCode, Form, Wish};
use serde::Serialize;
use tokens::{AuthorizationId, AuthorizationState, GrantCode, UserCode, Way};

use super::{
    Api,
    answer::{Answer, Fault},
    authorize::{asking, to_login},
    browser,
    flow::{Asking, AskingWay},
    issue::scope,
    manage::of_tokens,
    pages,
};
use crate::record::Entry;

/// How long a device's code is good.
const LIFETIME: Duration = Duration::from_mins(10);
/// How long a device waits between two questions at least.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many wrong codes are taken from one address within the time that a code is good.
const GUESSES: u32 = 10;
/// From how many addresses guesses are remembered.
const GUESSERS: usize = 10_000;

/// RFC 8628 section 3.2.
#[derive(Serialize)]
struct DeviceAnswer<'a> {
    device_code: &'a str,
    user_code: String,
    verification_uri: &'a str,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// `POST /oauth/device_authorization`.
pub(crate) async fn begin(
    api: &Api<'_>,
    authorization: Option<&[u8]>,
    form: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let claimed = ClaimedClient::read(authorization, form)?;
    entry.note(|record| record.client_id = Some(claimed.client_id.clone()));
    let client = api.clients()?.authenticate(&claimed)?;
    client.must_use(TokenClientGrant::DeviceCode)?;
    let failed = |error: tokens::NoRandomness| Fault::internal(error.to_string());
    let (code, user_code) = (GrantCode::generate().map_err(failed)?, UserCode::generate().map_err(failed)?);
    let id = AuthorizationId::of(&code.digest());
    let way = AskingWay::Device { id, user_code: user_code.to_string() };
    let Asking { scopes, clusters, lifetime, .. } = asking(api, client, &Wish::read(form)?, way)?;
    let way = Way::Device {
        user_code: user_code.clone(),
        scopes: scopes.map(|scopes| scopes.iter().map(|text| scope(text)).collect()).transpose()?,
        clusters: clusters.into_iter().map(Into::into).collect(),
        lifetime,
    };
    let time = (Timestamp::now(), LIFETIME);
    let begun = api
        .service
        .tokens()
        .begin_authorization(&code, client.id().into(), way, AuthorizationState::Waiting, time)
        .await;
    begun.map_err(|error| of_tokens(&error))?;
    let verification_uri = format!("{}/oauth/device", api.issuer());
    Answer::json(&DeviceAnswer {
        device_code: code.expose(),
        user_code: user_code.to_string(),
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        verification_uri: &verification_uri,
        expires_in: LIFETIME.as_secs(),
        interval: INTERVAL.as_secs(),
    })
}

/// `GET /oauth/device`: where the code is entered. One in the address is filled in, and no more.
pub(crate) fn page(api: &Api<'_>, query: &Form) -> Result<Answer, Fault> {
    api.clients()?;
    let entered = query.get("user_code").unwrap_or_default();
    Ok(Answer::page(pages::Device { entered, problem: None }.to_string(), None))
}

/// `POST /oauth/device`: the page's form. What waits for the code is shown, and the way to log in.
pub(crate) async fn entered(
    api: &Api<'_>,
    headers: &HeaderMap,
    form: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    browser::of_own_page(headers)?;
    let clients = api.clients()?;
    let entered = form.get("user_code").unwrap_or_default();
    let again = |problem: &str| {
        let page = pages::Device { entered, problem: Some(problem) };
        Answer::page(page.to_string(), None).with_status(StatusCode::BAD_REQUEST)
    };
    let code: UserCode = match entered.parse() {
        Ok(code) => code,
        Err(error) => return Ok(again(&format!("{error}."))),
    };
    if !api.service.guesses().may_guess(api.source) {
        let why =
            "too many wrong codes came from your address: wait ten minutes, and begin again on the device";
        return Err(Fault::new(ErrorCode::SlowDown, why).with_status(StatusCode::TOO_MANY_REQUESTS));
    }
    let found = api.service.tokens().waiting_for(&code, Timestamp::now());
    let client = found.as_ref().and_then(|authorization| clients.named(&authorization.client_id));
    let (Some(authorization), Some(client)) = (found, client) else {
        api.service.guesses().was_wrong(api.source);
        return Ok(again(
            "No device waits with this code. It may have waited too long: begin again on the device.",
        ));
    };
    entry.note(|record| record.client_id = Some(client.id().to_owned()));
    let Way::Device { scopes, clusters, lifetime, .. } = authorization.way else {
        return Err(Fault::internal("what waits for a person is no device"));
    };
    let asking = Asking {
        client_id: client.id().to_owned(),
        scopes: scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        clusters: clusters.into_iter().map(Into::into).collect(),
        lifetime,
        way: AskingWay::Device { id: authorization.id, user_code: code.to_string() },
    };
    let (address, cookie) = to_login(api, asking, None, None).await?;
    let page = pages::DeviceFound { client: &client.name, code: &code.to_string(), address: &address };
    Ok(Answer::page(page.to_string(), None).with_cookie(cookie))
}

/// When devices asked last, at this proxy.
#[derive(Debug, Default)]
pub(crate) struct Polls(Mutex<HashMap<AuthorizationId, Poll>>);

#[derive(Debug)]
struct Poll {
    last: Instant,
    interval: Duration,
}

impl Polls {
    /// Notes a question: whether it comes no sooner than it may. Each that does makes the next wait longer (RFC 8628 section 3.5).
    pub(crate) fn ask(&self, id: &AuthorizationId) -> bool {
        self.ask_at(id, Instant::now())
    }

    fn ask_at(&self, id: &AuthorizationId, now: Instant) -> bool {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(poll) = polls.get_mut(id) else {
            // As many as devices can wait: what is older has ended.
            polls.retain(|_, poll| now.saturating_duration_since(poll.last) < LIFETIME);
            polls.insert(id.clone(), Poll { last: now, interval: INTERVAL });
            return true;
        };
        let in_time = now.saturating_duration_since(poll.last) >= poll.interval;
        poll.last = now;
        if !in_time {
            poll.interval += INTERVAL;
        }
        in_time
    }
}

/// Who entered wrong codes lately, at this proxy (RFC 8628 section 5.1).
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Guesses {
    /// Whether this address may try another.
    pub(crate) fn may_guess(&self, source: IpAddr) -> bool {
        self.may_guess_at(source, Instant::now())
    }

    /// It was none.
    pub(crate) fn was_wrong(&self, source: IpAddr) {
        self.was_wrong_at(source, Instant::now());
    }

    fn may_guess_at(&self, source: IpAddr, now: Instant) -> bool {
        let guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = network(source);
        let recent =
            guesses.get(&source).filter(|(since, _)| now.saturating_duration_since(*since) < LIFETIME);
        let room = guesses.len() < GUESSERS || guesses.contains_key(&source);
        recent.map_or(room, |(_, count)| *count < GUESSES)
    }

    fn was_wrong_at(&self, source: IpAddr, now: Instant) {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.retain(|_, (since, _)| now.saturating_duration_since(*since) < LIFETIME);
        guesses.entry(network(source)).or_insert((now, 0)).1 += 1;
    }
}

/// What one host can choose its addresses from.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_asks_too_soon_waits_longer_from_then_on() {
        let polls = Polls::default();
        let id = AuthorizationId::of(&GrantCode::presented("a").digest());
        let other = AuthorizationId::of(&GrantCode::presented("b").digest());
        let start = Instant::now();
        let ask = |id, seconds| polls.ask_at(id, start + Duration::from_secs(seconds));
        assert!(ask(&id, 0) && ask(&id, 5) && ask(&other, 6));
        assert!(!ask(&id, 9), "four seconds");
        assert!(!ask(&id, 18), "nine, where ten are asked for by now");
        assert!(ask(&id, 33) && ask(&other, 33));
    }

    #[test]
    fn wrong_codes_are_counted_by_address_and_forgotten() {
        let guesses = Guesses::default();
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let start = Instant::now();
        for _ in 0..GUESSES {
            assert!(guesses.may_guess_at(one, start));
            guesses.was_wrong_at(one, start);
        }
        assert!(!guesses.may_guess_at(one, start) && guesses.may_guess_at(two, start));
        assert!(guesses.may_guess_at(one, start + LIFETIME));
        let hosts = ["2001:db8::1", "2001:db8::ffff:2", "::ffff:192.0.2.1"].map(|text| text.parse().unwrap());
        assert_eq!(network(hosts[0]), network(hosts[1]));
        assert!(!guesses.may_guess_at(hosts[2], start));
    }
}
