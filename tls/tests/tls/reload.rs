//! Certificates that change while connections are made, and log lines about invalid ones.

use std::path::Path;

use corespun_tls::{Acceptor, ClientTlsConfig, Roots, TlsConfig};

use crate::authority::{Authority, Folder, Issued};
use crate::pair::{HOST, Pair, World};

fn files(folder: &Folder, issued: &Issued) -> TlsConfig {
    let chain = folder.write("server.pem", &issued.chain);
    let key = folder.write("server.key", &issued.key);
    TlsConfig::from_pem_files(chain, key)
}

/// Returns the certificate that a server presents now, and whether the session was resumed.
fn shown(acceptor: &Acceptor, client: &ClientTlsConfig) -> Vec<u8> {
    let connector = client.clone().load().expect("a connector");
    let mut pair = Pair::new(acceptor, &connector);
    pair.settle();
    assert_eq!(pair.server.error(), "");
    pair.client.handshake().certificates.remove(0)
}

#[test]
fn the_new_certificate_is_shown_and_open_connections_stay() {
    let world = World::new();
    let folder = Folder::new("reload");
    let acceptor = files(&folder, &world.server).load().expect("an acceptor");
    let client = world.client_config();
    let first = shown(&acceptor, &client);
    let mut open = Pair::new(&acceptor, &world.connector());
    open.settle();
    assert!(
        !acceptor.reload().expect("the same files"),
        "nothing has changed"
    );

    files(&folder, &world.authority.issue(&[HOST]));
    assert!(acceptor.reload().expect("good files"));
    assert_ne!(shown(&acceptor, &client), first);
    open.client.send(b"still here");
    open.settle();
    assert_eq!(open.server.received(), b"still here");
}

#[test]
fn a_broken_one_leaves_the_old_one_in_place() {
    let world = World::new();
    let folder = Folder::new("reload-broken");
    let acceptor = files(&folder, &world.server).load().expect("an acceptor");
    let client = world.client_config();
    let before = shown(&acceptor, &client);
    let next = world.authority.issue(&[HOST]);
    let check = |what: &str| {
        let error = acceptor.reload().expect_err(what).to_string();
        assert!(error.contains("server."), "{what}: {error} names no file");
        assert_eq!(shown(&acceptor, &client), before, "{what}");
    };
    folder.write("server.pem", &next.chain);
    check("a chain without its key");
    folder.write("server.pem", &next.chain[..next.chain.len() / 2]);
    check("half a chain");
    std::fs::remove_file(folder.0.join("server.pem")).expect("remove");
    check("no chain");
    files(&folder, &next);
    assert!(acceptor.reload().expect("good files"));
    assert_ne!(shown(&acceptor, &client), before);
}

#[test]
fn tickets_outlive_a_certificate_but_not_the_trust_in_clients() {
    let world = World::new();
    let folder = Folder::new("reload-tickets");
    let (old, new) = (Authority::new("old clients"), Authority::new("new clients"));
    let roots = folder.write("clients.pem", &old.pem());
    let config = files(&folder, &world.server).client_ca(roots);
    let acceptor = config.load().expect("an acceptor");
    let issued = old.issue(&["a client"]);
    let connector = world.client_config().identity(issued.chain, issued.key);
    let connector = connector.load().expect("a connector");
    let resumed = || {
        let mut pair = Pair::new(&acceptor, &connector);
        pair.settle();
        assert!(pair.server.is_open(), "{}", pair.server.error());
        assert_eq!(pair.server.handshake().certificates.len(), 1);
        pair.server.handshake().resumed
    };
    assert!(!resumed());
    assert!(resumed());
    files(&folder, &world.authority.issue(&[HOST]));
    assert!(acceptor.reload().expect("good files"));
    assert!(resumed(), "a new certificate is no reason to begin anew");
    folder.write("clients.pem", &new.pem());
    assert!(acceptor.reload().expect("good files"));
    let mut pair = Pair::new(&acceptor, &connector);
    pair.settle();
    assert!(
        !pair.server.is_open(),
        "a ticket spoke for a client that is trusted no more"
    );
}

/// Checks that the start fails with the name of an invalid file and the fault.
#[test]
fn broken_files_are_named() {
    let world = World::new();
    let folder = Folder::new("broken");
    let good = files(&folder, &world.server);
    let other = world.authority.issue(&[HOST]);
    let path = |name: &str| folder.0.join(name);
    let (chain, key) = (path("server.pem"), path("server.key"));
    let text = folder.write("notes.txt", "no PEM at all");
    let torn = folder.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    let foreign = folder.write("foreign.key", &other.key);
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let nonsense = folder.write("nonsense.pem", nonsense);
    let cases: [(TlsConfig, &Path, &str); 8] = [
        (
            TlsConfig::from_pem_files(path("none.pem"), &key),
            &path("none.pem"),
            "No such file",
        ),
        (
            TlsConfig::from_pem_files(&chain, path("none.key")),
            &path("none.key"),
            "No such file",
        ),
        (
            TlsConfig::from_pem_files(&text, &key),
            &text,
            "holds no certificate",
        ),
        (
            TlsConfig::from_pem_files(&chain, &text),
            &text,
            "holds no private key",
        ),
        (TlsConfig::from_pem_files(&torn, &key), &torn, "section end"),
        (
            TlsConfig::from_pem_files(&chain, &foreign),
            &foreign,
            "not the private key",
        ),
        (
            TlsConfig::from_pem_files(&nonsense, &key),
            &nonsense,
            "BadEncoding",
        ),
        (good.clone().client_ca(&text), &text, "holds no certificate"),
    ];
    for (config, path, reason) in cases {
        let error = config.load().expect_err(reason).to_string();
        assert!(error.starts_with("failed to "), "{error}");
        assert!(
            error.contains(&path.display().to_string()),
            "{error} names no {path:?}"
        );
        assert!(error.contains(reason), "{error} does not say {reason:?}");
    }
    assert!(good.load().is_ok());
    let nobody = ClientTlsConfig::new(Roots::from_pem_file(&text)).load();
    assert!(nobody.is_err_and(|error| error.to_string().contains("notes.txt")));
    let name = world.client_config().server_name("not a name").load();
    assert!(name.is_err_and(|error| error.to_string().contains("\"not a name\"")));
}
