//! Where asynchronous code runs that waits for nothing.

use std::cell::RefCell;
use std::future::Future;

use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = RefCell::new(Builder::new_current_thread().enable_all().build().ok());
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| match runtime {
        Some(runtime) => runtime.block_on(work),
        None => panic!("no runtime"),
    })
}
