//! What a git server says about its refs (`info/refs?service=git-upload-pack`, protocol version 0),
//! read as it arrives and without keeping what was not asked for.
//!
//! See gitprotocol-http(5) and gitprotocol-pack(5).

/// A pkt-line's length field.
const LENGTH: usize = 4;
/// The longest pkt-line of the protocol.
const LONGEST: usize = 65_520;

/// The advertisement is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAdvertisement {
    /// No pkt-line.
    #[error("what came is not git's protocol")]
    NotGit,
    /// The server said what is wrong.
    #[error("the server refuses")]
    Refused,
    /// It ended in the middle.
    #[error("the answer ended in the middle")]
    Cut,
}

/// Reads an advertisement piece by piece for the commit of one ref.
#[derive(Debug)]
pub(super) struct Advertisement {
    /// The names that may be meant, best first, each with the commit behind it: as the ref says,
    /// and as the tag it points to says (`^{}`).
    candidates: Vec<Candidate>,
    rest: Vec<u8>,
    stage: Stage,
}

#[derive(Debug)]
struct Candidate {
    name: String,
    object: Option<String>,
    peeled: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// `# service=git-upload-pack` is due.
    Service,
    /// The flush behind it.
    ServiceEnd,
    /// Refs.
    Refs,
    /// The flush behind them was read.
    Over,
}

enum Line<'a> {
    Flush,
    Data(&'a [u8]),
}

impl Advertisement {
    /// One to be read for `reference`, or for the default branch.
    pub(super) fn of(reference: Option<&str>) -> Self {
        let candidate = |name: String| Candidate {
            name,
            object: None,
            peeled: None,
        };
        Self {
            candidates: names(reference).into_iter().map(candidate).collect(),
            rest: Vec::new(),
            stage: Stage::Service,
        }
    }

    /// Takes in the next piece.
    pub(super) fn read(&mut self, piece: &[u8]) -> Result<(), BadAdvertisement> {
        self.rest.extend_from_slice(piece);
        let rest = std::mem::take(&mut self.rest);
        let mut at = 0;
        while self.stage != Stage::Over {
            let Some((line, length)) = line(&rest[at..])? else {
                break;
            };
            self.take(&line)?;
            at += length;
        }
        self.rest = rest[at..].to_vec();
        Ok(())
    }

    fn take(&mut self, line: &Line<'_>) -> Result<(), BadAdvertisement> {
        match (self.stage, line) {
            (Stage::Service, Line::Data(data)) => {
                if data.strip_suffix(b"\n").unwrap_or(data) != b"# service=git-upload-pack" {
                    return Err(BadAdvertisement::NotGit);
                }
                self.stage = Stage::ServiceEnd;
            }
            (Stage::ServiceEnd, Line::Flush) => self.stage = Stage::Refs,
            (Stage::Refs, Line::Flush) => self.stage = Stage::Over,
            (Stage::Refs, Line::Data(data)) => self.take_ref(data)?,
            (Stage::Service, Line::Flush) | (Stage::ServiceEnd, Line::Data(_)) => {
                return Err(BadAdvertisement::NotGit);
            }
            (Stage::Over, _) => {}
        }
        Ok(())
    }

    fn take_ref(&mut self, data: &[u8]) -> Result<(), BadAdvertisement> {
        if data.starts_with(b"ERR ") {
            return Err(BadAdvertisement::Refused);
        }
        let Ok(text) = std::str::from_utf8(data) else {
            // A ref whose name is not text is none that was asked for: requests are text.
            return Ok(());
        };
        // The first ref carries the server's capabilities behind a NUL.
        let text = text.split('\0').next().unwrap_or_default();
        let Some((object, name)) = text.trim_end_matches('\n').split_once(' ') else {
            return Ok(());
        };
        if !super::is_commit(object) {
            return Err(BadAdvertisement::NotGit);
        }
        let (name, peeled) = match name.strip_suffix("^{}") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if let Some(candidate) = self.candidates.iter_mut().find(|c| c.name == name) {
            let place = if peeled {
                &mut candidate.peeled
            } else {
                &mut candidate.object
            };
            *place = Some(object.to_owned());
        }
        Ok(())
    }

    /// The commit, once everything is read; `None` if no ref of the name was there.
    pub(super) fn end(self) -> Result<Option<String>, BadAdvertisement> {
        match self.stage {
            Stage::Over => {}
            Stage::Service if self.rest.is_empty() => return Err(BadAdvertisement::NotGit),
            _ => return Err(BadAdvertisement::Cut),
        }
        let found = self.candidates.into_iter().find(|c| c.object.is_some());
        Ok(found.and_then(|c| c.peeled.or(c.object)))
    }
}

/// What a short name may mean, in git's order (gitrevisions(7)).
fn names(reference: Option<&str>) -> Vec<String> {
    match reference {
        None => vec!["HEAD".to_owned()],
        Some(name) => vec![
            name.to_owned(),
            format!("refs/{name}"),
            format!("refs/tags/{name}"),
            format!("refs/heads/{name}"),
            format!("refs/remotes/{name}"),
            format!("refs/remotes/{name}/HEAD"),
        ],
    }
}

/// The first pkt-line of `bytes` and its length; `None` while it is not all there.
fn line(bytes: &[u8]) -> Result<Option<(Line<'_>, usize)>, BadAdvertisement> {
    let Some(head) = bytes.get(..LENGTH) else {
        return Ok(None);
    };
    let length = std::str::from_utf8(head)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or(BadAdvertisement::NotGit)?;
    match length {
        0 => Ok(Some((Line::Flush, LENGTH))),
        LENGTH..=LONGEST => Ok(bytes
            .get(LENGTH..length)
            .map(|data| (Line::Data(data), length))),
        _ => Err(BadAdvertisement::NotGit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

    fn packet(text: &str) -> String {
        format!("{:04x}{text}", text.len() + LENGTH)
    }

    fn advertised(refs: &[(&str, &str)]) -> Vec<u8> {
        let mut text = packet("# service=git-upload-pack\n") + "0000";
        for (index, (object, name)) in refs.iter().enumerate() {
            let capabilities = if index == 0 {
                "\0multi_ack symref=HEAD:refs/heads/main"
            } else {
                ""
            };
            text += &packet(&format!("{object} {name}{capabilities}\n"));
        }
        (text + "0000").into_bytes()
    }

    fn find(bytes: &[u8], reference: Option<&str>) -> Result<Option<String>, BadAdvertisement> {
        let mut advertisement = Advertisement::of(reference);
        advertisement.read(bytes)?;
        advertisement.end()
    }

    fn found(refs: &[(&str, &str)], reference: Option<&str>) -> Option<String> {
        find(&advertised(refs), reference).unwrap()
    }

    #[test]
    fn without_a_name_it_is_the_default_branch() {
        let refs = [(A, "HEAD"), (B, "refs/heads/dev"), (A, "refs/heads/main")];
        assert_eq!(found(&refs, None).as_deref(), Some(A));
        assert_eq!(found(&refs[1..], None), None);
    }

    #[test]
    fn a_tag_counts_above_a_branch_and_what_it_points_to_above_itself() {
        let refs = [
            (A, "HEAD"),
            (A, "refs/heads/v1"),
            (B, "refs/tags/v1"),
            (C, "refs/tags/v1^{}"),
        ];
        assert_eq!(found(&refs, Some("v1")).as_deref(), Some(C));
        assert_eq!(found(&refs, Some("heads/v1")).as_deref(), Some(A));
        assert_eq!(found(&refs, Some("refs/heads/v1")).as_deref(), Some(A));
        assert_eq!(found(&refs[..3], Some("v1")).as_deref(), Some(B));
        assert_eq!(found(&refs, Some("v")), None);
    }

    #[test]
    fn an_empty_repository_has_no_ref() {
        let none = "0000000000000000000000000000000000000000";
        assert_eq!(found(&[(none, "capabilities^{}")], None), None);
    }

    #[test]
    fn what_is_not_the_protocol_is_told_apart_from_what_was_cut() {
        use BadAdvertisement::{Cut, NotGit, Refused};
        assert_eq!(find(b"", None), Err(NotGit));
        assert_eq!(find(b"<!DOCTYPE html>", None), Err(NotGit));
        assert_eq!(
            find(packet("# service=git-receive-pack\n").as_bytes(), None),
            Err(NotGit)
        );
        assert_eq!(find(b"0003", None), Err(NotGit));
        assert_eq!(find(b"fff1", None), Err(NotGit));
        assert_eq!(find(b"+01e", None), Err(NotGit));
        let whole = advertised(&[(A, "HEAD")]);
        assert_eq!(find(&whole[..whole.len() - 4], None), Err(Cut));
        assert_eq!(find(&whole[..whole.len() - 10], None), Err(Cut));
        let refused = packet("# service=git-upload-pack\n") + "0000" + &packet("ERR no\n");
        assert_eq!(find(refused.as_bytes(), None), Err(Refused));
        assert_eq!(find(&advertised(&[("abc", "HEAD")]), None), Err(NotGit));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_it_arrives(pieces in prop::collection::vec(1usize..60, 1..40)) {
            let whole = advertised(&[(A, "HEAD"), (B, "refs/heads/x"), (C, "refs/tags/y")]);
            let mut advertisement = Advertisement::of(Some("y"));
            let mut rest = whole.as_slice();
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                advertisement.read(now).unwrap();
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(advertisement.end().unwrap(), Some(C.to_owned()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find(&bytes, Some("main"));
            let mut begun = (packet("# service=git-upload-pack\n") + "0000").into_bytes();
            begun.extend(bytes);
            let _ = find(&begun, Some("main"));
        }
    }
}
