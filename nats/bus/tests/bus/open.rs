use crate::{begin, run};

#[tokio::test]
async fn a_key_is_removed_only_at_the_revision_it_was_read() {
    let (_server, bus) = begin().await;
    let open = bus.open_runs();
    assert_eq!(open.entries().await.unwrap(), []);
    let a = open.put(&run("a")).await.unwrap();
    let b = open.put(&run("b")).await.unwrap();
    assert_eq!(
        open.entries().await.unwrap(),
        [(run("a"), a), (run("b"), b)]
    );
    let newer = open.put(&run("a")).await.unwrap();
    assert!(!open.delete(&run("a"), a).await.unwrap());
    assert_eq!(open.get(&run("a")).await.unwrap(), Some(newer));
    assert!(open.delete(&run("a"), newer).await.unwrap());
    assert!(!open.delete(&run("a"), newer).await.unwrap());
    assert_eq!(open.get(&run("a")).await.unwrap(), None);
    assert_eq!(open.entries().await.unwrap(), [(run("b"), b)]);
}

#[tokio::test]
async fn closed_runs_leave_nothing_behind() {
    let (_server, bus) = begin().await;
    let open = bus.open_runs();
    for n in 0..50 {
        let run = run(&format!("r{n}"));
        let revision = open.put(&run).await.unwrap();
        assert!(open.delete(&run, revision).await.unwrap());
    }
    assert_eq!(
        bus.stream_state("KV_AIDEATOR_OPEN").await.unwrap().messages,
        0
    );
}
