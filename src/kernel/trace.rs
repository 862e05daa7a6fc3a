//! Which request the present work belongs to. Owns the request id that log lines and problem bodies carry; async
//! work has it through a task-local, blocking work through [`carry`].

use std::sync::Arc;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// The id of the request on whose behalf this runs, if there is one.
pub fn request_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}

/// Runs a future on behalf of a request.
pub async fn within<F: Future>(request_id: Arc<str>, work: F) -> F::Output {
    REQUEST_ID.scope(request_id, work).await
}

/// Takes the present request id along to a closure that runs on another thread.
pub fn carry<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let request_id = request_id();
    move || match request_id {
        Some(request_id) => REQUEST_ID.sync_scope(request_id, work),
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_id_follows_the_work_to_another_thread() {
        let seen = within(Arc::from("r1"), async {
            let work = carry(request_id);
            std::thread::spawn(work).join().ok().flatten()
        })
        .await;
        assert_eq!(seen.as_deref(), Some("r1"));
        assert_eq!(request_id(), None);
    }
}
