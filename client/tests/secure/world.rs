//! Server that reports the identity of its clients, and the certificates of both.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corespun_client::{Channel, ClientTlsConfig, Config};
use corespun_codec::{Kind, Method, Request, Response, Sender, Status, Streaming};
use corespun_runtime::Engine;
use corespun_server::{Routes, Server, ServerBuilder, Service, TlsConfig};

use crate::authority::{Authority, Folder, Issued};

/// Host name of the server.
pub const HOST: &str = "corespun.test";

pub const WHO: Method<String, String> = Method::new("/test.Mirror/Who", Kind::Unary);
pub const ECHO: Method<String, String> = Method::new("/test.Mirror/Echo", Kind::BidiStreaming);

struct Mirror;

/// Returns the client's identity as one line; a message of more than one word is returned
/// unchanged.
async fn who(_: Rc<Mirror>, request: Request<String>) -> Result<Response<String>, Status> {
    if request.get_ref().len() > 100 {
        return Ok(Response::new(request.into_inner()));
    }
    let mut line = match request.tls() {
        None => "plain".to_owned(),
        Some(tls) => format!(
            "{} sni={} names={} certificates={}",
            tls.version,
            tls.server_name.as_deref().unwrap_or("none"),
            tls.names.join(","),
            tls.certificates.len()
        ),
    };
    if let Some(unix) = request.unix_peer() {
        line.push_str(&format!(
            " pid={} uid={} gid={}",
            unix.pid, unix.uid, unix.gid
        ));
    }
    Ok(Response::new(line))
}

async fn echo(
    _: Rc<Mirror>,
    mut words: Streaming<String>,
    mut out: Sender<String>,
) -> Result<(), Status> {
    while let Some(word) = words.message().await? {
        out.send(word).await?;
    }
    Ok(())
}

impl Service for Mirror {
    const NAME: &'static str = "test.Mirror";

    fn register(self, routes: &mut Routes) {
        let service = Rc::new(self);
        routes.unary(WHO, &service, who);
        routes.bidi_streaming(ECHO, &service, echo);
    }
}

/// Certificate authority, files of a server with its certificate, and clients that trust it.
pub struct World {
    pub authority: Authority,
    pub clients: Authority,
    pub folder: Folder,
}

impl World {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let world = Self {
            authority: Authority::new("an authority"),
            clients: Authority::new("an authority of clients"),
            folder: Folder::new(&format!("{name}-{number}")),
        };
        world.replace(&world.authority.issue(&[HOST]));
        world.folder.write("clients.pem", &world.clients.pem());
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Replaces the server's files atomically, as an administrator would.
    pub fn replace(&self, issued: &Issued) {
        for (name, text) in [("server.key", &issued.key), ("server.pem", &issued.chain)] {
            let fresh = self.folder.write("fresh", text);
            std::fs::rename(fresh, self.path(name)).expect("rename");
        }
    }

    pub fn tls(&self) -> TlsConfig {
        TlsConfig::from_pem_files(self.path("server.pem"), self.path("server.key"))
    }

    pub fn mutual(&self) -> TlsConfig {
        self.tls().client_ca(self.path("clients.pem"))
    }

    /// Returns a client configuration that trusts the authority, for any address.
    pub fn client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new(self.authority.roots()).server_name(HOST)
    }

    /// Returns a client configuration that trusts the authority and presents a certificate.
    pub fn known_client(&self) -> ClientTlsConfig {
        let issued = self.clients.issue(&["client.test", "spiffe://test/client"]);
        self.client().identity(issued.chain, issued.key)
    }
}

/// Returns a server of the mirror service without an address.
pub fn mirror(engine: Engine) -> ServerBuilder {
    Server::builder()
        .shards(2)
        .engine(engine)
        .grace(Duration::from_millis(200))
        .service(|_shard| Ok(Mirror))
}

/// Returns a channel that connects when it is used.
pub fn channel(target: &str, tls: ClientTlsConfig) -> Channel {
    let config = Config {
        tls: Some(tls.load().expect("a connector")),
        ..Config::default()
    };
    Channel::lazy_with(target, config).expect("a target")
}

pub async fn ask(channel: &Channel) -> Result<String, Status> {
    let answer = channel.unary(WHO, Request::new("who am I?".to_owned()));
    Ok(answer.await?.into_inner())
}
