use std::time::Duration;

use aideator_bus::ReadUpTo;
use aideator_contract::{Revocation, Timestamp, TokenId};

use crate::{begin, declared, soon};

const STREAM: &str = "KV_AIDEATOR_REVOKED";
const LONG: Duration = Duration::from_secs(3600);

fn id(text: &str) -> TokenId {
    text.parse().unwrap()
}

/// A revocation now, of a token that expires in so many seconds.
fn revocation(left: u64) -> Revocation {
    let revoked = Timestamp::from(std::time::SystemTime::now());
    Revocation {
        expires: revoked.millis() / 1000 + left,
        revoked,
        by: "test".into(),
    }
}

#[tokio::test]
async fn what_was_read_before_is_not_read_again() {
    let (_server, bus) = begin().await;
    let tokens = bus.revoked_tokens();
    let (found, read) = tokens.since(ReadUpTo::default()).await.unwrap();
    assert_eq!(found, []);
    let (first, second) = (revocation(100), revocation(200));
    tokens.put(&id("a"), &first, LONG).await.unwrap();
    let (found, read) = tokens.since(read).await.unwrap();
    assert_eq!(found, [(id("a"), first.expires)]);
    tokens.put(&id("b"), &second, LONG).await.unwrap();
    let (found, read) = tokens.since(read).await.unwrap();
    assert_eq!(found, [(id("b"), second.expires)]);
    assert_eq!(tokens.since(read).await.unwrap().0, []);
    let (found, _) = tokens.since(ReadUpTo::default()).await.unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn an_entry_is_never_cut_short() {
    let (_server, bus) = begin().await;
    let tokens = bus.revoked_tokens();
    let (short, long, longer) = (revocation(5), revocation(1000), revocation(2000));
    let put = async |revocation| tokens.put(&id("a"), revocation, LONG).await.unwrap();
    assert_eq!(put(&long).await, long.expires);
    assert_eq!(put(&short).await, long.expires);
    assert_eq!(put(&longer).await, longer.expires);
    let (found, _) = tokens.since(ReadUpTo::default()).await.unwrap();
    assert_eq!(found, [(id("a"), longer.expires)]);
}

#[tokio::test]
async fn an_entry_put_by_hand_holds_as_long_as_any_token_may_live() {
    let (_server, bus) = begin().await;
    let by_hand = "$KV.AIDEATOR_REVOKED.by-hand";
    bus.publish(by_hand, "".into()).await.unwrap();
    let tokens = bus.revoked_tokens();
    let found = soon(async {
        loop {
            let (found, _) = tokens.since(ReadUpTo::default()).await.unwrap();
            if let [only] = &found[..] {
                return only.clone();
            }
        }
    });
    let (token, expires) = found.await;
    assert_eq!(token, id("by-hand"));
    assert!(expires > revocation(365 * 24 * 60 * 60).expires);
}

#[tokio::test]
async fn the_server_removes_an_entry_when_it_is_of_no_use_any_more() {
    let (_server, bus) = begin().await;
    let tokens = bus.revoked_tokens();
    let (short, long) = (Duration::from_secs(1), LONG);
    tokens.put(&id("a"), &revocation(9), long).await.unwrap();
    let (_, read) = tokens.since(ReadUpTo::default()).await.unwrap();
    tokens.put(&id("b"), &revocation(9), short).await.unwrap();
    soon(async { while bus.stream_state(STREAM).await.unwrap().messages > 1 {} }).await;
    // The leader's last message is not there any more, which is no reason to wait for it.
    let (found, read) = tokens.since(read).await.unwrap();
    assert_eq!(found, []);
    tokens.put(&id("c"), &revocation(9), long).await.unwrap();
    assert_eq!(tokens.since(read).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn a_bucket_made_anew_is_read_from_its_beginning() {
    let (_server, bus) = begin().await;
    let tokens = bus.revoked_tokens();
    tokens.put(&id("a"), &revocation(9), LONG).await.unwrap();
    let (_, read) = tokens.since(ReadUpTo::default()).await.unwrap();
    let delete = format!("$JS.API.STREAM.DELETE.{STREAM}");
    bus.request(&delete, "".into(), LONG).await.unwrap();
    assert!(tokens.since(read).await.is_err());
    bus.ensure(&declared()).await.unwrap();
    tokens.put(&id("b"), &revocation(9), LONG).await.unwrap();
    let (found, _) = tokens.since(read).await.unwrap();
    assert_eq!(found.len(), 1);
}
