//! When the engine has forgotten the token that a request went with.
//!
//! The identity `api_token` finds out what is the matter and gives the credential to go on with. The request is then sent once more,
//! but only if it had no body: nothing of a body is kept, and what was sent of it cannot be had again.

use engine::{ApiTokenError, Credential};
use http::StatusCode;

use crate::{
    credential::Spare,
    respond::Rejection,
    snapshot::{Cluster, Destination},
    upstream::Answer,
};

/// The engine's answer to go on with, and the credential of the request that it answers, if that is another.
///
/// # Errors
///
/// When there is no token to go on with, or when there is one and the request cannot be sent again.
pub async fn settle(
    cluster: &Cluster,
    destination: &Destination,
    credential: &Credential,
    spare: Option<Spare>,
    answer: Answer,
) -> Result<(Answer, Option<Credential>), Rejection> {
    let status = answer.response.status();
    let forgotten = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let tokens = cluster.identity().api_tokens().filter(|_| forgotten && destination.is_engine());
    // Under a fallback it is none of the tokens' business.
    let Some(tokens) = tokens.filter(|_| credential.is_engine_token()) else {
        return Ok((answer, None));
    };
    let node = answer.lease.node().to_owned();
    let next = if status == StatusCode::UNAUTHORIZED {
        Some(Box::pin(tokens.refused(credential, &node)).await.map_err(rejected)?)
    } else {
        Box::pin(tokens.denied(credential, &node)).await
    };
    let Some(next) = next else { return Ok((answer, None)) };
    let Some(spare) = spare else {
        return match status {
            StatusCode::UNAUTHORIZED => Err(Rejection::TokenRenewed { node }),
            _ => Ok((answer, None)),
        };
    };
    // Its connection is of no more use: the rest of the answer was not read.
    drop(answer);
    let again =
        cluster.upstream_of(destination).send(spare.with(&next)).await.map_err(Rejection::Upstream)?;
    if again.response.status() == StatusCode::UNAUTHORIZED {
        tokens.refused_again();
    }
    Ok((again, Some(next)))
}

fn rejected(error: ApiTokenError) -> Rejection {
    Rejection::Identity(error.into())
}
