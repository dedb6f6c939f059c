//! A finished run as one object that is never changed: all that is stored of it, compressed, with an
//! index.
//!
//! The object is a gzip file (RFC 1952) of several members, of which each holds some lines of JSON;
//! so `nats object get AIDEATOR_ARCHIVE RUN` and `gzip -dc` show all of it. The index stands in the
//! object's metadata: which sequences are in which member. It lets a reader begin anywhere.

mod index;
mod line;
mod store;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use aideator_contract::RunId;
use aideator_contract::subject::Place;
use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use crate::batch::Page;
use crate::error::Error;
use crate::stored::Stored;
pub use index::Reach;
use index::{Index, Member};
use line::Line;
pub use store::Archives;

/// A member is closed once it has so many messages, or so many bytes before compression.
const MEMBER_MESSAGES: u32 = 1024;
const MEMBER_BYTES: usize = 256 * 1024;
/// Bytes a member may have when it is unpacked: more than one that was closed in time, by far.
const UNPACKED_MOST: u64 = 16 * 1024 * 1024;

/// An object that is no archive of ours, or a damaged one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the archive can't be read: {0}")]
pub struct Damaged(pub(crate) String);

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Self {
        Self::malformed("reading an archive", damaged)
    }
}

/// An archived run.
#[derive(Debug)]
pub struct Archive {
    index: Index,
    content: Bytes,
    /// The member that was unpacked last: readers go through one after the other.
    unpacked: Mutex<Option<(usize, Arc<[Stored]>)>>,
}

/// Makes an archive of messages as they come, in the order of their sequences.
#[derive(Debug)]
pub struct Archiver {
    index: Index,
    content: Vec<u8>,
    lines: Vec<u8>,
    member: Option<Member>,
}

impl Archiver {
    /// Nothing is in it yet. `epoch` is that of the stream the messages are from.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self {
            index: Index::new(epoch),
            content: Vec::new(),
            lines: Vec::new(),
            member: None,
        }
    }

    /// Goes on behind what is archived already.
    #[must_use]
    pub fn behind(archive: Archive) -> Self {
        Self {
            content: archive.content.into(),
            index: archive.index,
            lines: Vec::new(),
            member: None,
        }
    }

    /// The last sequence in it; 0 if it is empty.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.index.reach.last
    }

    /// Puts a message behind the others; what is not behind them is left out.
    pub fn push(&mut self, stored: &Stored) {
        if stored.sequence <= self.last() {
            return;
        }
        self.index.push(&stored.subject, stored.sequence);
        let member = self
            .member
            .get_or_insert_with(|| Member::at(stored.sequence, self.content.len()));
        member.last = stored.sequence;
        member.messages += 1;
        Line::of(stored).write(&mut self.lines);
        if member.messages >= MEMBER_MESSAGES || self.lines.len() >= MEMBER_BYTES {
            self.close_member();
        }
    }

    /// The archive.
    #[must_use]
    pub fn finish(mut self) -> Archive {
        self.close_member();
        Archive {
            index: self.index,
            content: self.content.into(),
            unpacked: Mutex::default(),
        }
    }

    fn close_member(&mut self) {
        let Some(member) = self.member.take() else {
            return;
        };
        let mut packed = GzEncoder::new(&mut self.content, Compression::default());
        // Writing to memory does not fail.
        let _ = packed.write_all(&self.lines);
        let _ = packed.finish();
        self.lines.clear();
        self.index.members.push(member);
    }
}

impl Archive {
    /// Reads an archive as it was stored.
    ///
    /// # Errors
    /// It is none of ours, of a newer format, or damaged.
    pub fn open(metadata: &BTreeMap<String, String>, content: Bytes) -> Result<Self, Damaged> {
        Ok(Self {
            index: Index::read(metadata, content.len())?,
            content,
            unpacked: Mutex::default(),
        })
    }

    /// Whether every message in it is of this run.
    fn is_of(&self, run: &RunId) -> bool {
        let of = |subject: &String| Place::parse(subject).is_some_and(|place| place.run() == run);
        self.index.tails.keys().all(of)
    }

    /// What the object is.
    #[must_use]
    pub fn content(&self) -> Bytes {
        self.content.clone()
    }

    /// What is to be said about the object.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, String> {
        self.index.write()
    }

    /// Of which stream it is, and how far it goes.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.index.reach
    }

    /// The last sequence of a subject in it; 0 if it has none.
    #[must_use]
    pub fn last_of(&self, subject: &str) -> u64 {
        self.index.tails.get(subject).copied().unwrap_or(0)
    }

    /// The messages of one member from sequence `from` on, of one subject or of all. `pending` is not
    /// a count: 0 says that this was the last of them.
    ///
    /// # Errors
    /// It is damaged.
    pub fn page(&self, subject: Option<&str>, from: u64) -> Result<Page, Damaged> {
        let last = subject.map_or(self.index.reach.last, |subject| self.last_of(subject));
        let mut next = from;
        while next <= last {
            let Some(at) = self.index.member_of(next) else {
                break;
            };
            let wanted = |stored: &&Stored| {
                stored.sequence >= next && subject.is_none_or(|subject| stored.subject == subject)
            };
            let messages: Vec<Stored> = self.unpacked(at)?.iter().filter(wanted).cloned().collect();
            next = self.index.members[at].last + 1;
            if !messages.is_empty() {
                return Ok(Page {
                    messages,
                    pending: u64::from(next <= last),
                    next,
                });
            }
        }
        Ok(Page {
            next: from,
            ..Page::default()
        })
    }

    /// All messages of a subject.
    ///
    /// # Errors
    /// It is damaged.
    pub fn all(&self, subject: &str) -> Result<Vec<Stored>, Damaged> {
        let (mut all, mut page) = (Vec::new(), self.page(Some(subject), 0)?);
        while page.pending > 0 {
            all.append(&mut page.messages);
            page = self.page(Some(subject), page.next)?;
        }
        all.append(&mut page.messages);
        Ok(all)
    }

    fn unpacked(&self, at: usize) -> Result<Arc<[Stored]>, Damaged> {
        let mut kept = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, messages)) = &*kept
            && *known == at
        {
            return Ok(Arc::clone(messages));
        }
        let messages = self.unpack(at)?;
        *kept = Some((at, Arc::clone(&messages)));
        Ok(messages)
    }

    fn unpack(&self, at: usize) -> Result<Arc<[Stored]>, Damaged> {
        let packed = &self.content[self.index.range(at, self.content.len())];
        let mut lines = Vec::new();
        let mut unpacked = GzDecoder::new(packed).take(UNPACKED_MOST);
        unpacked
            .read_to_end(&mut lines)
            .map_err(|error| Damaged(error.to_string()))?;
        // One that is cut has its end before it.
        let rest = unpacked.into_inner().into_inner();
        if !rest.is_empty() {
            return Err(Damaged(format!("member {at} is too large, or not one")));
        }
        let messages: Arc<[Stored]> = line::read_all(&Bytes::from(lines))?.into();
        if self.index.describes(at, &messages) {
            Ok(messages)
        } else {
            Err(Damaged(format!("member {at} is not what the index says")))
        }
    }
}

#[cfg(test)]
mod tests;
