//! Which sequences are where in an archive.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Damaged;
use crate::stored::Stored;

const FORMAT: &str = "1";

pub(super) type Metadata = BTreeMap<String, String>;

/// How far an archive goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The epoch of the stream the messages are from.
    pub epoch: u64,
    /// The last sequence in it; 0 if it is empty.
    pub last: u64,
}

/// The index. It stands in the object's metadata, one entry a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) reach: Reach,
    /// The last sequence of each subject.
    pub(super) tails: BTreeMap<String, u64>,
    pub(super) members: Vec<Member>,
}

/// A member of the gzip file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, u64, usize, u32)", from = "(u64, u64, usize, u32)")]
pub(super) struct Member {
    /// The sequences of its first message and its last.
    pub(super) first: u64,
    pub(super) last: u64,
    /// The byte where it begins.
    pub(super) begin: usize,
    pub(super) messages: u32,
}

impl Member {
    pub(super) fn at(first: u64, begin: usize) -> Self {
        Self {
            first,
            last: first,
            begin,
            messages: 0,
        }
    }
}

impl From<Member> for (u64, u64, usize, u32) {
    fn from(m: Member) -> Self {
        (m.first, m.last, m.begin, m.messages)
    }
}

impl From<(u64, u64, usize, u32)> for Member {
    fn from((first, last, begin, messages): (u64, u64, usize, u32)) -> Self {
        Self {
            first,
            last,
            begin,
            messages,
        }
    }
}

impl Reach {
    pub(super) fn read(metadata: &Metadata) -> Result<Self, Damaged> {
        match metadata.get("format").map(String::as_str) {
            Some(FORMAT) => Ok(Self {
                epoch: parsed(metadata, "epoch")?,
                last: parsed(metadata, "last")?,
            }),
            format => Err(Damaged(format!(
                "its format is {format:?}; this reads {FORMAT:?}"
            ))),
        }
    }
}

impl Index {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            reach: Reach { epoch, last: 0 },
            tails: BTreeMap::new(),
            members: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, subject: &str, sequence: u64) {
        self.reach.last = sequence;
        self.tails.insert(subject.to_owned(), sequence);
    }

    pub(super) fn write(&self) -> Metadata {
        BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("epoch".to_owned(), self.reach.epoch.to_string()),
            ("last".to_owned(), self.reach.last.to_string()),
            ("tails".to_owned(), text(&self.tails)),
            ("members".to_owned(), text(&self.members)),
        ])
    }

    pub(super) fn read(metadata: &Metadata, length: usize) -> Result<Self, Damaged> {
        let index = Self {
            reach: Reach::read(metadata)?,
            tails: parsed(metadata, "tails")?,
            members: parsed(metadata, "members")?,
        };
        if index.is_sound(length) {
            Ok(index)
        } else {
            Err(Damaged("its index contradicts itself".to_owned()))
        }
    }

    /// Whether the members make up all of the object, in order, and no subject goes further.
    fn is_sound(&self, length: usize) -> bool {
        let in_order =
            |pair: &[Member]| pair[0].last < pair[1].first && pair[0].begin < pair[1].begin;
        let mut members = self.members.iter();
        let begin = self.members.first().map_or(length, |m| m.begin);
        members.all(|m| m.first <= m.last && m.begin < length)
            && self.members.windows(2).all(in_order)
            && begin == 0
            && self.members.last().map_or(0, |m| m.last) == self.reach.last
            && self.reach.last < u64::MAX
            && self.tails.values().all(|tail| *tail <= self.reach.last)
    }

    /// Whether these are the messages of a member, and none of them is unknown to the subjects' ends.
    pub(super) fn describes(&self, at: usize, messages: &[Stored]) -> bool {
        let member = &self.members[at];
        let sequence = |stored: Option<&Stored>| stored.map(|stored| stored.sequence);
        let is_within = |tail: &u64| (member.first..=member.last).contains(tail);
        let mut last = BTreeMap::new();
        for stored in messages {
            last.insert(stored.subject.as_str(), stored.sequence);
        }
        let known = |(subject, last): (&&str, &u64)| {
            let tail = self.tails.get(*subject);
            tail.is_some_and(|tail| last <= tail && (last == tail || !is_within(tail)))
        };
        let ends = |(subject, tail): (&String, &u64)| {
            !is_within(tail) || last.get(subject.as_str()) == Some(tail)
        };
        sequence(messages.first()) == Some(member.first)
            && sequence(messages.last()) == Some(member.last)
            && u32::try_from(messages.len()) == Ok(member.messages)
            && last.iter().all(known)
            && self.tails.iter().all(ends)
    }

    /// The first member that has something from `sequence` on.
    pub(super) fn member_of(&self, sequence: u64) -> Option<usize> {
        let at = self.members.partition_point(|m| m.last < sequence);
        (at < self.members.len()).then_some(at)
    }

    /// Where a member's bytes are.
    pub(super) fn range(&self, at: usize, length: usize) -> Range<usize> {
        let end = self.members.get(at + 1).map_or(length, |next| next.begin);
        self.members[at].begin..end
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn parsed<T: for<'a> Deserialize<'a>>(metadata: &Metadata, name: &str) -> Result<T, Damaged> {
    let missing = || Damaged(format!("its metadata has no {name:?}"));
    let text = metadata.get(name).ok_or_else(missing)?;
    serde_json::from_str(text).map_err(|error| Damaged(format!("its {name}: {error}")))
}
