//! What reads the engine's answers about the index of tokens, over any bytes. Panics when a promise is broken.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokens::{Contents, EngineClient, OpenSearchStore, Store, TokenId};

use super::{engine_index::settings, runtime::block_on};

/// Answers with each line once, then not at all.
#[derive(Debug)]
struct Answers(Mutex<VecDeque<Bytes>>);

#[async_trait]
impl EngineClient for Answers {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let answer = answer.ok_or("no answer")?;
        let status = match answer.first() {
            Some(b'!') => StatusCode::BAD_REQUEST,
            Some(b'?') => StatusCode::NOT_FOUND,
            _ => return Ok(Response::new(answer)),
        };
        Ok(Response::builder().status(status).body(answer.slice(1..))?)
    }
}

/// Answers, each on a line: `!` before it stands for 400, `?` for 404.
pub fn run(bytes: &[u8]) {
    let (Some(settings), Ok(id)) = (settings(), "tok_abcdefghijklmnopqrst".parse::<TokenId>()) else {
        panic!("no settings, or no id")
    };
    let lines = bytes.split(|&byte| byte == b'\n').map(Bytes::copy_from_slice);
    let answers = Answers(Mutex::new(lines.collect()));
    block_on(async {
        let Ok(store) = OpenSearchStore::open(Box::new(answers), settings).await else { return };
        if let Ok(Contents { records, revocations, kept, last_used }) = store.load().await {
            let nothing =
                records.is_empty() && revocations.is_empty() && kept.is_empty() && last_used.is_empty();
            assert!(nothing, "something was read that nobody with the secret wrote");
        }
        let news = store.news().await;
        assert!(news.map_or(true, |news| news.is_empty()), "news that nobody with the secret wrote");
        let again = store.reread(&id).await;
        assert!(again.map_or(true, |record| record.is_none()), "a record that nobody with the secret wrote");
        let kept = store.reread_kept("any").await;
        assert!(kept.map_or(true, |kept| kept.is_none()), "something that nobody with the secret wrote");
        drop(store.upkeep().await);
    });
}
