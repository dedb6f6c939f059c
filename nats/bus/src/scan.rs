//! Reading a stream from a place to its end, page by page.

use std::collections::VecDeque;

use futures::{Stream, StreamExt as _, stream};

use crate::batch::Batch;
use crate::connect::Bus;
use crate::error::Error;
use crate::stored::Stored;

const MESSAGES: usize = 1024;
const BYTES: usize = 2 * 1024 * 1024;

impl Bus {
    /// Every message of `filter` from sequence `from` on, in pages, until nothing is pending or
    /// `up_to` (inclusive) is passed. Ends after its first error; go on behind the last message.
    pub fn scan(
        &self,
        stream: &str,
        filter: &str,
        from: u64,
        up_to: Option<u64>,
    ) -> impl Stream<Item = Result<Stored, Error>> + Send + Unpin + use<> {
        let scan = Scan {
            bus: self.clone(),
            stream: stream.to_owned(),
            filter: filter.to_owned(),
            next: from,
            up_to: up_to.unwrap_or(u64::MAX),
            page: VecDeque::new(),
            done: false,
        };
        stream::unfold(
            scan,
            |mut scan| async move { Some((scan.step().await?, scan)) },
        )
        .boxed()
    }
}

struct Scan {
    bus: Bus,
    stream: String,
    filter: String,
    next: u64,
    up_to: u64,
    page: VecDeque<Stored>,
    done: bool,
}

impl Scan {
    async fn step(&mut self) -> Option<Result<Stored, Error>> {
        if self.page.is_empty() && !self.done {
            let batch = Batch {
                stream: &self.stream,
                filter: &self.filter,
                from: self.next,
                limit: MESSAGES,
                max_bytes: BYTES,
            };
            match self.bus.batch(batch).await {
                Ok(page) => {
                    self.done =
                        page.pending == 0 || page.messages.is_empty() || page.next > self.up_to;
                    self.next = page.next;
                    self.page = page.messages.into();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        self.page
            .pop_front()
            .filter(|stored| stored.sequence <= self.up_to)
            .map(Ok)
    }
}
