//! Frames between brain and hands: four bytes of length (big-endian), then JSON.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes of one frame at most.
pub(super) const FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Sends one frame.
pub(super) async fn send<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    let json = serde_json::to_vec(value)?;
    let length = u32::try_from(json.len())
        .ok()
        .filter(|_| json.len() <= FRAME_BYTES)
        .ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a frame is too large to send")
        })?;
    let mut bytes = Vec::with_capacity(json.len() + 4);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&json);
    to.write_all(&bytes).await
}

/// Receives one frame; `None` when the other side has closed between frames.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > FRAME_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame is too large to receive",
        ));
    }
    let mut json = vec![0; length];
    from.read_exact(&mut json).await?;
    Ok(Some(serde_json::from_slice(&json)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_arrive_whole_and_in_order() {
        let (mut left, mut right) = tokio::io::duplex(3);
        let sending = async {
            for text in ["", "a", "größer"] {
                send(&mut left, &text).await.unwrap();
            }
            drop(left);
        };
        let receiving = async {
            let mut got: Vec<String> = Vec::new();
            while let Some(text) = receive(&mut right).await.unwrap() {
                got.push(text);
            }
            got
        };
        let ((), got) = tokio::join!(sending, receiving);
        assert_eq!(got, ["", "a", "größer"]);
    }

    #[tokio::test]
    async fn a_frame_that_breaks_off_is_an_error_and_a_huge_one_is_refused() {
        let (mut left, mut right) = tokio::io::duplex(64);
        left.write_all(&[0, 0, 0, 9, b'"']).await.unwrap();
        drop(left);
        assert!(receive::<String>(&mut right).await.is_err());
        let (mut left, mut right) = tokio::io::duplex(64);
        left.write_all(&[0xff; 4]).await.unwrap();
        assert!(receive::<String>(&mut right).await.is_err());
    }
}
