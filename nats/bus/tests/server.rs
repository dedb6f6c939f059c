//! nats-server as a child, against the real one.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use aideator_bus::server::testing::{TestCluster, TestServer};
use aideator_bus::server::{Auth, Binary, Server, ServerConfig, ServerError};
use async_nats::jetstream;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_killed_server_comes_back_on_the_same_port_with_what_was_stored() {
    let mut server = TestServer::start().await;
    let url = server.url();
    let client = async_nats::connect(&url).await.unwrap();
    let jetstream = jetstream::new(client);
    jetstream
        .create_stream(jetstream::stream::Config {
            name: "S".to_owned(),
            subjects: vec!["s".to_owned()],
            ..Default::default()
        })
        .await
        .unwrap();
    let before = jetstream
        .publish("s", "one".into())
        .await
        .unwrap()
        .await
        .unwrap();

    server.kill().await;
    assert!(
        tokio::net::TcpStream::connect(server.address())
            .await
            .is_err()
    );
    server.restart().await;

    assert_eq!(server.url(), url);
    let jetstream = jetstream::new(async_nats::connect(&url).await.unwrap());
    let stream = jetstream.get_stream("S").await.unwrap();
    let stored = stream.get_raw_message(before.sequence).await.unwrap();
    assert_eq!(stored.payload, "one");
}

#[tokio::test]
async fn a_server_that_outlived_its_starter_is_ended_before_the_next_begins() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::find(None, None).await.unwrap();
    let config = ServerConfig::local(folder.path().join("nats"), Auth::Open);
    let mut first = Server::start(&binary, &config, LIMIT).await.unwrap();
    let listen = first.address();

    let again = ServerConfig { listen, ..config };
    let second = Server::start(&binary, &again, LIMIT).await.unwrap();

    assert!(tokio::time::timeout(LIMIT, first.ended()).await.is_ok());
    assert_eq!(second.address(), listen);
    assert!(second.stop(LIMIT).await);
}

#[tokio::test]
async fn a_process_id_that_was_given_to_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = ServerConfig::local(folder.path(), Auth::Open);
    let mut bystander = tokio::process::Command::new("sleep")
        .arg("60")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = bystander.id().unwrap();
    std::fs::write(folder.path().join("nats-server.pid"), pid.to_string()).unwrap();

    let binary = Binary::find(None, None).await.unwrap();
    let server = Server::start(&binary, &config, LIMIT).await.unwrap();

    assert!(bystander.try_wait().unwrap().is_none());
    server.kill().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::find(None, None).await.unwrap();
    let config = ServerConfig {
        listen: taken.local_addr().unwrap(),
        ..ServerConfig::local(folder.path(), Auth::Open)
    };
    let error = Server::start(&binary, &config, LIMIT).await.unwrap_err();
    assert!(matches!(error, ServerError::AddressTaken { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&taken.local_addr().unwrap().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_refuses_its_configuration_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Binary::find(None, None).await.unwrap();
    let config = ServerConfig {
        name: "two words".to_owned(),
        ..ServerConfig::local(folder.path(), Auth::Open)
    };
    let error = Server::start(&binary, &config, LIMIT).await.unwrap_err();
    assert!(matches!(error, ServerError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("server name"), "{error}");
}

#[tokio::test]
async fn a_named_program_that_is_missing_old_or_another_is_said_and_none_else_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let program = |name: &str, says: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let missing = Binary::find(Some(&folder.path().join("none")), None)
        .await
        .unwrap_err();
    assert!(matches!(missing, ServerError::NotFound { .. }), "{missing}");
    let old = Binary::find(Some(&program("old", "nats-server: v2.11.9")), None)
        .await
        .unwrap_err();
    assert!(
        old.to_string().contains("2.11.9; AIdeator needs 2.12.0"),
        "{old}"
    );
    let other = Binary::find(Some(&program("other", "hello")), None)
        .await
        .unwrap_err();
    assert!(matches!(other, ServerError::NotAServer { .. }), "{other}");

    let tools = folder.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    program("tools/nats-server", "nats-server: v2.99.0");
    let found = Binary::find(None, Some(&tools)).await.unwrap();
    assert_eq!(found.path(), tools.join("nats-server"));
}

#[tokio::test]
async fn two_servers_at_once_do_not_disturb_each_other() {
    let (one, two) = tokio::join!(TestServer::start(), TestServer::start());
    let addresses: [SocketAddr; 2] = [one.address(), two.address()];
    assert_ne!(addresses[0], addresses[1]);
    for address in addresses {
        async_nats::connect(format!("nats://{address}"))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_cluster_goes_on_without_its_leader() {
    let mut cluster = TestCluster::start_with_operator().await;
    let admin = cluster
        .credentials(aideator_bus::credentials::User::Admin)
        .unwrap();
    let options = async_nats::ConnectOptions::with_credentials(&admin.to_text()).unwrap();
    let client = options.connect(cluster.urls()).await.unwrap();
    let jetstream = jetstream::new(client);
    let config = jetstream::stream::Config {
        name: "S".to_owned(),
        subjects: vec!["s".to_owned()],
        num_replicas: 3,
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    jetstream
        .publish("s", "one".into())
        .await
        .unwrap()
        .await
        .unwrap();

    let killed = cluster.kill_leader("S").await;

    let stored = tokio::time::timeout(LIMIT, async {
        loop {
            if let Ok(ack) = jetstream.publish("s", "two".into()).await
                && let Ok(ack) = ack.await
            {
                break ack.sequence;
            }
        }
    });
    assert!(stored.await.unwrap() >= 2);
    cluster.restart(killed).await;
    cluster.leader("S").await;
}

#[tokio::test]
async fn the_template_for_people_is_a_configuration_the_server_takes() {
    let folder = tempfile::tempdir().unwrap();
    let template = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../local.conf");
    let binary = Binary::find(None, None).await.unwrap();
    let mut check = tokio::process::Command::new(binary.path());
    let check = check
        .arg("-t")
        .arg("-c")
        .arg(template)
        .current_dir(folder.path());
    let said = check.output().await.unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
}
