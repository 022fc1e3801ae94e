//! A question that many may have at once and that is asked once for all of them.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use crate::Error;

/// When the question was last asked, and what came of it.
pub(super) struct Asked<T>(Mutex<Option<(Instant, Result<T, Error>)>>);

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Asked<T> {
    /// The answer as of now: of this question, or of one that was asked since this was called.
    pub(super) async fn ask(
        &self,
        question: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let since = Instant::now();
        let mut asked = self.0.lock().await;
        if let Some((at, answer)) = &*asked
            && since <= *at
        {
            return answer.clone();
        }
        let at = Instant::now();
        let answer = question.await;
        *asked = Some((at, answer.clone()));
        answer
    }

    /// Whether it is being asked, or was a moment ago.
    pub(super) fn is_recent(&self, moment: Duration) -> bool {
        match self.0.try_lock() {
            Ok(asked) => asked.as_ref().is_some_and(|(at, _)| at.elapsed() < moment),
            Err(_) => true,
        }
    }
}
