//! Questions to one peer and their answers in turn, all on one stream: to open a stream for each costs more than the
//! question.

use std::future::Future;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming};

/// A stream on which every question has been answered.
pub(crate) struct Exchange<Q, A> {
    questions: mpsc::Sender<Q>,
    answers: Streaming<A>,
}

impl<Q, A> Exchange<Q, A> {
    /// `call` opens the stream with what it is to send.
    pub(crate) async fn open<F>(call: impl FnOnce(ReceiverStream<Q>) -> F) -> Result<Response<Self>, Status>
    where
        F: Future<Output = Result<Response<Streaming<A>>, Status>>,
    {
        let (questions, outgoing) = mpsc::channel(1);
        let answers = call(ReceiverStream::new(outgoing)).await?;
        Ok(answers.map(|answers| Self { questions, answers }))
    }

    /// Asks one question. The stream is given back with the answer only: one that was not waited for would pass for that
    /// of the next question.
    pub(crate) async fn ask(mut self, question: Q) -> Result<Response<(Self, A)>, Status> {
        let ended = || Status::unavailable("the stream of questions has ended");
        // If it cannot be sent, the other end says why.
        let _ = self.questions.send(question).await;
        let answer = self.answers.message().await?.ok_or_else(ended)?;
        Ok(Response::new((self, answer)))
    }
}
